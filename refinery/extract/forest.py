"""Gradient-boosted decision trees in numpy: complete trees of one depth, all evaluated at once.

Shapes: T trees, d their depth, F features, N rows to judge (blocks of a page, or cuts).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Log odds beyond which more trees change little: 3 is a probability of 0.95, -3 one of 0.05.
SURE_SCORE = 3.0
# After these numbers of trees, rows that are sure keep their score and leave.
_EXITS = (24, 64)


@dataclass(frozen=True)
class Forest:
    """Complete binary trees in heap order: `features`/`thresholds` [T, 2**d - 1], leaves [T, 2**d].

    The children of node n are 2n + 1 and 2n + 2. A row goes right where its value is above the
    threshold, and left where it equals it.
    """

    features: NDArray[np.int32]
    thresholds: NDArray[np.float32]
    leaves: NDArray[np.float32]

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]], prefix: str) -> Forest:
        """Read one of the forests in a file of weights: arrays whose names begin with `prefix`."""
        return cls(
            arrays[f"{prefix}_features"].astype(np.int32),
            arrays[f"{prefix}_thresholds"].astype(np.float32),
            arrays[f"{prefix}_leaves"].astype(np.float32),
        )

    def arrays(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """Arrays that `of` reads, by name."""
        return {
            f"{prefix}_features": self.features.astype(np.int16),
            f"{prefix}_thresholds": self.thresholds,
            f"{prefix}_leaves": self.leaves,
        }

    @functools.cached_property
    def _levels(self) -> list[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Features and thresholds [T * 2**level] by level, tree after tree.

        So the node n of one level has the children 2n and 2n + 1 of the next one, in every tree.
        Features are intp: numpy copies other index types before it takes by them.
        """
        depth = (self.features.shape[1] + 1).bit_length() - 1
        spans = [slice(2**level - 1, 2 ** (level + 1) - 1) for level in range(depth)]
        return [
            (self.features[:, span].ravel().astype(np.intp), self.thresholds[:, span].ravel())
            for span in spans
        ]

    def predict(self, columns: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability [N] of rows that are given as columns [F, N].

        Rows of which the first trees are sure keep their score: on most pages half of the blocks
        are plainly navigation. The first trees are trained with higher rates, to be sure soon.
        """
        num_trees = len(self.features)
        bounds = [0, *(min(num, num_trees) for num in _EXITS), num_trees]
        score = np.zeros(columns.shape[1])
        rows = np.arange(columns.shape[1])
        for first, end in itertools.pairwise(bounds):
            score[rows] += self.score(columns, slice(first, end), rows)
            rows = rows[np.abs(score[rows]) < SURE_SCORE]
        probability: NDArray[np.float32] = (1 / (1 + np.exp(-score))).astype(np.float32)
        return probability

    def score(
        self,
        columns: NDArray[np.float32],
        chosen: slice = slice(None),
        rows: NDArray[np.intp] | None = None,
    ) -> NDArray[np.float64]:
        """Sum of the leaves [R] that R rows of `columns` [F, N] reach in C chosen trees.

        Features lie together by feature, not by row, since near the root all rows of a tree ask for
        the same one. `node` [C, R] is the node that each row has reached, counted over all trees of
        a level; `value_index` [C, R] is where the value lies that the node asks for.
        """
        first, end, _ = chosen.indices(len(self.features))
        num_rows = columns.shape[1]
        rows = np.arange(num_rows) if rows is None else rows
        values = columns.ravel()
        feature, bound = self._levels[0]
        value_index = (feature[first:end] * num_rows)[:, None] + rows
        node = 2 * np.arange(end - first)[:, None]
        node = node + (values.take(value_index) > bound[first:end, None])
        for level, (feature, bound) in enumerate(self._levels[1:], 1):
            span = slice(first << level, end << level)
            # No index is out of range; "clip" is what lets numpy take without a buffer.
            (feature[span] * num_rows).take(node, out=value_index, mode="clip")
            value_index += rows
            is_above = values.take(value_index) > bound[span].take(node)
            node += node
            # As integers at once: numpy would cast truth values piece by piece.
            node += is_above.astype(np.intp)
        leaf = self.leaves[first:end].ravel().take(node)
        score: NDArray[np.float64] = leaf.sum(axis=0, dtype=np.float64)
        return score
