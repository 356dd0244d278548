"""One tree of sums for any number of ranks."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from schemas.errors import ContractError, SettingsError
from tests.support.datasets import DatasetShape, write_dataset
from tests.support.ranks import run_on_ranks
from tests.train.loop.test_resume import losses, train, weights
from tests.train.test_refusals import check
from train.data.cursor import RankShare, leaves_of_rank, rank_samples
from train.parallel.tree import LeafSums, Node, add_in_tree, deal_missing, whole_nodes

TREE = {"parallel": {"reduction": "tree"}}


def test_the_largest_whole_nodes_of_neighbouring_leaves() -> None:
    assert whole_nodes(range(8)) == [Node(3, 0)]
    assert whole_nodes(range(2, 5)) == [Node(1, 1), Node(0, 4)]
    assert whole_nodes(range(1, 7)) == [Node(0, 1), Node(1, 1), Node(1, 2), Node(0, 6)]
    assert whole_nodes(range(3, 3)) == []


def reference(leaves: list[torch.Tensor]) -> torch.Tensor:
    """Neighbours are added level by level; one without a neighbour moves up as it is."""
    while len(leaves) > 1:
        pairs = [leaves[i : i + 2] for i in range(0, len(leaves), 2)]
        leaves = [pair[0] + pair[1] if len(pair) == 2 else pair[0] for pair in pairs]
    return leaves[0]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 8, 13])
def test_any_division_of_the_leaves_gives_the_bits_of_the_tree(count: int) -> None:
    generator = torch.Generator().manual_seed(count)
    leaves = [torch.randn(64, generator=generator) * 10.0**i for i in range(count)]
    expected = reference(leaves)

    for ranks in range(1, count + 3):
        nodes: dict[Node, torch.Tensor] = {}
        for rank in range(ranks):
            sums = LeafSums()
            for leaf in leaves_of_rank(count, RankShare(rank=rank, ranks=ranks)):
                sums.add(leaf, leaves[leaf].clone())
            nodes |= dict(zip(sums.nodes, sums.vectors, strict=True))
        assert torch.equal(add_in_tree(nodes), expected)


def test_missing_leaves_go_to_the_ranks_that_hold_fewer() -> None:
    """Of eight leaves one rank has done all of its own, one a part; those of the third are lost."""
    assert deal_missing(8, [[0, 1, 2], [3]]) == [[4], [5, 6, 7]]
    assert deal_missing(8, [[], []]) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert deal_missing(3, [[0], [1], [2]]) == [[], [], []]


@pytest.mark.parametrize("held", [[[2, 3, 4], [5, 6, 7]], [[0, 1], [2]], [[], [5]]])
def test_leaves_that_were_taken_over_give_the_bits_of_the_tree(held: list[list[int]]) -> None:
    generator = torch.Generator().manual_seed(1)
    vectors = [torch.randn(64, generator=generator) * 10.0**i for i in range(8)]
    nodes: dict[Node, torch.Tensor] = {}
    for old, new in zip(held, deal_missing(8, held), strict=True):
        sums = LeafSums()
        for leaf in [*old, *new]:
            sums.add(leaf, vectors[leaf].clone())
        assert sums.nodes == whole_nodes([*old, *new])
        nodes |= dict(zip(sums.nodes, sums.vectors, strict=True))

    assert torch.equal(add_in_tree(nodes), reference(vectors))


def test_a_leaf_that_is_not_there_is_not_zero() -> None:
    assert math.copysign(1, float(add_in_tree({Node(0, 4): torch.tensor(-0.0)}))) == -1


@pytest.mark.parametrize("ranks", [1, 2, 3, 5, 8])
def test_ranks_read_neighbouring_rows_of_whole_micro_batches(ranks: int) -> None:
    """A batch of 13 rows in micro-batches of 2 has 7 leaves, the last one with a single row."""
    shares = [RankShare(rank=rank, ranks=ranks, block=2) for rank in range(ranks)]
    parts = [rank_samples(start=26, count=13, share=share).tolist() for share in shares]

    assert [sample for part in parts for sample in part] == list(range(26, 39))
    assert all(part[0] % 2 == 0 for part in parts if part)
    firsts = [share.first_microbatch(13) for share in shares]
    assert firsts == [7 * rank // ranks for rank in range(ranks)]
    most = max(math.ceil(len(part) / 2) for part in parts)
    assert shares[0].most_microbatches(13, 2) == most


def digest(output: Path) -> str:
    parts = sorted(weights(output).items())
    return hashlib.sha256(b"".join(value.numpy().tobytes() for _, value in parts)).hexdigest()


@pytest.mark.distributed
def test_one_hash_over_one_three_and_four_ranks(tmp_path: Path) -> None:
    """Six updates of 6 micro-batches with dropout and clipping; with other ranks also half of them."""
    data = str(write_dataset(tmp_path / "data", DatasetShape()).parent)
    train(data, str(tmp_path / "one"), [100], TREE)
    run_on_ranks(train, 4, data, str(tmp_path / "four"), [100], TREE)
    run_on_ranks(train, 3, data, str(tmp_path / "mixed"), [3], TREE)
    train(data, str(tmp_path / "mixed"), [100], TREE)

    found = {digest(tmp_path / name) for name in ("one", "four", "mixed")}
    assert len(found) == 1
    assert losses(tmp_path / "one") == losses(tmp_path / "four") == losses(tmp_path / "mixed")


def test_the_tree_changes_the_order_of_the_sums_alone(tmp_path: Path) -> None:
    dataset = str(write_dataset(tmp_path / "data", DatasetShape()).parent)
    still = {"model": {"preset": "tiny", "dropout": 0.0}}
    train(dataset, str(tmp_path / "flat"), [100], still)
    train(dataset, str(tmp_path / "tree"), [100], still | TREE)

    assert losses(tmp_path / "tree") == pytest.approx(losses(tmp_path / "flat"), rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threads": 2}, r"reduction.threads_per_rank is 1 in the checkpoint, 2 here"),
        ({"batch": {"sequences": 12, "microbatch": 3}}, r"reduction.microbatch is 2 .* 3 here"),
    ],
)
def test_what_decides_the_bits_may_not_change(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    dataset = str(write_dataset(tmp_path / "data", DatasetShape()).parent)
    train(dataset, str(tmp_path / "run"), [2], TREE)

    with pytest.raises(ContractError, match=message):
        train(dataset, str(tmp_path / "run"), [100], TREE | changes)
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("parallel", "changes", "message"),
    [
        ({"dp_shard": 2}, {}, "parallel.dp_shard 2: a micro-batch has its gradient on one rank"),
        ({}, {"diloco": {}, "checkpoint": {"every_steps": 500}}, "diloco: ranks step by their own"),
    ],
)
def test_layouts_without_the_tree_are_refused(
    parallel: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        check(2, {"reduction": "tree", **parallel}, **changes)
