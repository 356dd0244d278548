"""Gradient-boosted decision trees: complete trees of one depth, walked by a compiled loop.

Shapes: T trees, d their depth, F features, N rows to judge (blocks of a page, or cuts).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, Matrix, bare_kernel

Floats = NDArray[np.float32]
Numbers = NDArray[np.uint16]
Scores = NDArray[np.float64]

# Log odds beyond which more trees change little: 3 is a probability of 0.95, -3 one of 0.05.
SURE_SCORE = 3.0
# After these numbers of trees, rows that are sure keep their score and leave.
_EXITS = (24, 64)


@bare_kernel
def _below(
    row_F: Floats,
    features: Matrix[Numbers],
    thresholds: Matrix[Floats],
    tree: np.uint64,
    node: np.uint64,
) -> np.uint64:
    """The child of a node of a tree that a row goes to; unsigned, so that no index is negative."""
    is_above = row_F[features[tree, node]] > thresholds[tree, node]
    return node + node + np.uint64(1) + np.uint64(is_above)


@bare_kernel
def add_leaves(
    rows_NF: Matrix[Floats],
    features: Matrix[Numbers],
    thresholds: Matrix[Floats],
    leaves: Matrix[Floats],
    stops: NDArray[np.int64],
    sure: float,
    scores_N: Filled[Scores],
) -> None:
    """Add to each row's score the leaves that it reaches; a row that is sure at a stop goes no further.

    `stops` are rising numbers of trees, the last one all of them. Eight trees are walked side by
    side: while a step of one waits for memory, the others compute. Leaves are summed tree by tree
    between two stops, so the order of the sums is fixed.
    """
    num_nodes = np.uint64(thresholds.shape[1])
    root, one, two, four = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(4)
    for n in range(len(rows_NF)):
        row = rows_NF[n]
        tree = np.uint64(0)
        for stop in stops:
            end = np.uint64(stop)
            score = 0.0
            while tree + np.uint64(8) <= end:
                t0, t1, t2, t3 = tree, tree + one, tree + two, tree + two + one
                t4, t5, t6, t7 = t0 + four, t1 + four, t2 + four, t3 + four
                a = b = c = d = e = f = g = h = root
                while a < num_nodes:
                    a = _below(row, features, thresholds, t0, a)
                    b = _below(row, features, thresholds, t1, b)
                    c = _below(row, features, thresholds, t2, c)
                    d = _below(row, features, thresholds, t3, d)
                    e = _below(row, features, thresholds, t4, e)
                    f = _below(row, features, thresholds, t5, f)
                    g = _below(row, features, thresholds, t6, g)
                    h = _below(row, features, thresholds, t7, h)
                score += float(leaves[t0, a - num_nodes])
                score += float(leaves[t1, b - num_nodes])
                score += float(leaves[t2, c - num_nodes])
                score += float(leaves[t3, d - num_nodes])
                score += float(leaves[t4, e - num_nodes])
                score += float(leaves[t5, f - num_nodes])
                score += float(leaves[t6, g - num_nodes])
                score += float(leaves[t7, h - num_nodes])
                tree += np.uint64(8)
            while tree < end:
                node = root
                while node < num_nodes:
                    node = _below(row, features, thresholds, tree, node)
                score += float(leaves[tree, node - num_nodes])
                tree += np.uint64(1)
            scores_N[n] += score
            if abs(scores_N[n]) >= sure:
                break


@dataclass(frozen=True)
class Forest:
    """Complete binary trees in heap order: `features`/`thresholds` [T, 2**d - 1], leaves [T, 2**d].

    The children of node n are 2n + 1 and 2n + 2. A row goes right where its value is above the
    threshold, and left where it equals it.
    """

    features: NDArray[np.uint16]
    thresholds: NDArray[np.float32]
    leaves: NDArray[np.float32]

    @functools.cached_property
    def _asked(self) -> tuple[Numbers, int]:
        """The features as the loop reads them, and the last one of them."""
        features = np.ascontiguousarray(self.features, np.uint16)
        return features, int(features.max(initial=0))

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]], prefix: str) -> Forest:
        """Read one of the forests in a file of weights: arrays whose names begin with `prefix`."""
        return cls(
            np.ascontiguousarray(arrays[f"{prefix}_features"], np.uint16),
            np.ascontiguousarray(arrays[f"{prefix}_thresholds"], np.float32),
            np.ascontiguousarray(arrays[f"{prefix}_leaves"], np.float32),
        )

    def arrays(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """Arrays that `of` reads, by name."""
        return {
            f"{prefix}_features": self.features.astype(np.int16),
            f"{prefix}_thresholds": self.thresholds,
            f"{prefix}_leaves": self.leaves,
        }

    def predict(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability [N] of rows [N, F].

        Rows of which the first trees are sure keep their score: on most pages half of the blocks
        are plainly navigation. The first trees are trained with higher rates, to be sure soon.
        """
        num_trees = len(self.features)
        stops = [*(min(num, num_trees) for num in _EXITS), num_trees]
        score = self._walk(rows, stops, SURE_SCORE)
        probability: NDArray[np.float32] = (1 / (1 + np.exp(-score))).astype(np.float32)
        return probability

    def score(self, rows: NDArray[np.float32]) -> Scores:
        """Sum of the leaves [N] of all trees for rows [N, F]."""
        return self._walk(rows, [len(self.features)], np.inf)

    def _walk(self, rows: NDArray[np.float32], stops: list[int], sure: float) -> Scores:
        # The loop reads without looking at bounds: what it is handed is checked once, here.
        features, last = self._asked
        if last >= rows.shape[1]:
            raise ValueError(f"the trees ask for feature {last}, the rows have {rows.shape[1]}")
        scores = np.zeros(len(rows))
        rows = np.ascontiguousarray(rows, np.float32)
        add_leaves(rows, features, self.thresholds, self.leaves, np.array(stops), sure, scores)
        return scores
