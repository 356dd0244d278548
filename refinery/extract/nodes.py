"""The nodes of a page as arrays: parents, depths, and where each node's subtree ends.

Shapes: M nodes in document order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from selectolax.lexbor import LexborNode

Ints = NDArray[np.int64]


class NodeTree:
    """`parents[i]` < i, but the first node is its own; `ends[i]` is one past i's last descendant."""

    def __init__(self, nodes: Sequence[LexborNode]) -> None:
        places = {node.mem_id: place for place, node in enumerate(nodes)}
        above = [places[node.parent.mem_id] for node in nodes[1:]]  # type: ignore[union-attr]
        self.parents: Ints = np.array([0, *above], np.int64)
        self.depths = count_above(self.parents)
        self.ends = _ends(self.depths)

    def inside(self, places: Ints) -> NDArray[np.bool_]:
        """Which nodes are below one of these, or one of them."""
        size = len(self.parents) + 1
        change = np.bincount(places, minlength=size) - np.bincount(
            self.ends[places], minlength=size
        )
        return np.cumsum(change[:-1]) > 0

    def nearest(self, chosen: NDArray[np.bool_]) -> Ints:
        """The nearest chosen node at or above each; the first node must be chosen."""
        holders = np.where(chosen, np.arange(len(chosen)), self.parents)
        while not chosen[holders].all():
            holders = holders[holders]
        return holders


def count_above(parents: Ints) -> Ints:
    """Number of ancestors by jumps of doubled length; the root is its own parent."""
    counts = np.ones(len(parents), np.int64)
    counts[:1] = 0
    while parents.any():
        counts = counts + counts[parents]
        parents = parents[parents]
    return counts


def _ends(depths: Ints) -> Ints:
    """Where subtrees end, from depths in document order.

    Between node j - 1 and node j, depths[j - 1] - depths[j] + 1 subtrees end, the deepest first;
    all that are open end behind the last. Of one depth only one is open at a time, so the n-th end
    of a depth belongs to the n-th node of that depth.
    """
    num = len(depths)
    closed = depths - np.append(depths[1:], 0) + 1
    first = np.cumsum(closed) - closed
    when = np.repeat(np.arange(1, num + 1), closed)
    depth_closed = np.repeat(depths + first, closed) - np.arange(num)
    # Of small integers the stable sort is a radix sort.
    small = np.int16 if int(depths.max()) < 32_000 else np.int64
    ends = np.empty(num, np.int64)
    ends[np.argsort(depths.astype(small), kind="stable")] = when[
        np.argsort(depth_closed.astype(small), kind="stable")
    ]
    return ends
