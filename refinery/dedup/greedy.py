"""The rule of removal: in the keepers' order, a document goes if it has an edge to a kept one.

So no chain removes a document that does not resemble its keeper, no verified pair survives among
the kept, and later documents never change earlier decisions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ranks = NDArray[np.int64]
KEPT = -1


def greedy_keepers(num_documents: int, left: Ranks, right: Ranks) -> Ranks:
    """[num_documents] rank of the kept document that removes each one, KEPT where none does.

    Documents are their ranks in the keepers' order; of several kept neighbours the first is named.

    Args:
        num_documents: Ranks are below it.
        left, right: [edges] the two ends, in any direction and order.
    """
    low, high = np.minimum(left, right), np.maximum(left, right)
    keeper = [KEPT] * num_documents
    # Edges are sorted by their later end: when one is met, its earlier end is decided already.
    order = np.lexsort((low, high))
    for first, second in zip(low[order].tolist(), high[order].tolist(), strict=True):
        if keeper[second] == KEPT and keeper[first] == KEPT and first != second:
            keeper[second] = first
    return np.array(keeper, np.int64)


def smallest_members(num_documents: int, left: Ranks, right: Ranks) -> Ranks:
    """[num_documents] smallest rank in each one's connected component (union-find, halving)."""
    parent = list(range(num_documents))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in zip(left.tolist(), right.tolist(), strict=True):
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return np.array([root(node) for node in range(num_documents)], np.int64)
