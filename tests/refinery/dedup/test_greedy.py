from __future__ import annotations

import itertools
import random

import networkx as nx
import numpy as np
import pytest

from refinery.dedup.greedy import KEPT, greedy_keepers, smallest_members

Edges = list[tuple[int, int]]


def brute_force(num: int, edges: Edges) -> list[int]:
    """The rule as written: removed if and only if an edge leads to a kept one that precedes."""
    near = {frozenset(edge) for edge in edges}
    kept: list[int] = []
    keepers = []
    for document in range(num):
        found = [k for k in kept if frozenset((k, document)) in near]
        keepers.append(found[0] if found else KEPT)
        if not found:
            kept.append(document)
    return keepers


def graphs() -> dict[str, tuple[int, Edges]]:
    generator = random.Random(7)
    pairs = list(itertools.combinations(range(40), 2))
    tree = nx.random_labeled_tree(60, seed=3)
    skewed = nx.barabasi_albert_graph(80, 3, seed=1)
    return {
        "none": (5, []),
        "star with its hub first": (50, [(0, i) for i in range(1, 50)]),
        "star with its hub last": (50, [(49, i) for i in range(49)]),
        "chain": (101, [(i, i + 1) for i in range(100)]),
        "complete": (20, list(itertools.combinations(range(20), 2))),
        "sparse": (40, generator.sample(pairs, 30)),
        "dense": (40, generator.sample(pairs, 300)),
        "tree": (60, list(tree.edges)),
        "skewed": (80, list(skewed.edges)),
        "bipartite, order against it": (20, [(a, b) for a in range(10, 20) for b in range(10)]),
    }


@pytest.mark.parametrize("name", graphs())
def test_greedy_equals_the_rule_as_written(name: str) -> None:
    num, edges = graphs()[name]
    shuffled = [random.Random(1).choice((e, e[::-1])) for e in edges]
    random.Random(2).shuffle(shuffled)
    ends = np.array(shuffled, np.int64).reshape(-1, 2)

    assert greedy_keepers(num, ends[:, 0], ends[:, 1]).tolist() == brute_force(num, edges)


@pytest.mark.parametrize("name", graphs())
def test_components_equal_those_of_networkx(name: str) -> None:
    num, edges = graphs()[name]
    ends = np.array(edges, np.int64).reshape(-1, 2)
    graph = nx.Graph(edges)
    graph.add_nodes_from(range(num))
    expected = {n: min(part) for part in nx.connected_components(graph) for n in part}

    assert smallest_members(num, ends[:, 0], ends[:, 1]).tolist() == [
        expected[n] for n in range(num)
    ]


def test_a_chain_of_2000_keeps_667_where_each_is_like_the_next_two() -> None:
    # Each document shares 90 % with the next, so it also passes the threshold with the second.
    edges = np.array([(i, j) for i in range(2000) for j in (i + 1, i + 2) if j < 2000], np.int64)

    keepers = greedy_keepers(2000, edges[:, 0], edges[:, 1])

    removed = np.flatnonzero(keepers != KEPT)
    assert 2000 - len(removed) == 667
    assert np.abs(removed - keepers[removed]).max() <= 2


def test_later_documents_never_change_earlier_decisions() -> None:
    edges = np.array([(0, 1), (2, 1), (2, 3)], np.int64)

    before = greedy_keepers(3, edges[:2, 0], edges[:2, 1])
    after = greedy_keepers(4, edges[:, 0], edges[:, 1])

    assert before.tolist() == [KEPT, 0, KEPT]
    assert after.tolist() == [KEPT, 0, KEPT, 2]
