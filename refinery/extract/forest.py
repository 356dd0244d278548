"""Gradient-boosted trees in numpy: complete trees of a fixed depth, all evaluated at once."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Log odds beyond which more trees change little: e**-3 is a probability of 0.05.
SURE_SCORE = 3.0
# After how many trees rows that are sure keep their score.
_STAGES = (24, 64)


@dataclass(frozen=True)
class Forest:
    """Complete binary trees in heap order: `features`/`thresholds` [T, 2**d - 1], leaves [T, 2**d].

    A row goes right where its value is above the threshold.
    """

    features: NDArray[np.int32]
    thresholds: NDArray[np.float32]
    leaves: NDArray[np.float32]

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]], prefix: str) -> Forest:
        """Read from the arrays of a file of weights, which holds several forests."""
        return cls(
            arrays[f"{prefix}_features"].astype(np.int32),
            arrays[f"{prefix}_thresholds"].astype(np.float32),
            arrays[f"{prefix}_leaves"].astype(np.float32),
        )

    def arrays(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """What `of` reads."""
        return {
            f"{prefix}_features": self.features.astype(np.int16),
            f"{prefix}_thresholds": self.thresholds,
            f"{prefix}_leaves": self.leaves,
        }

    @functools.cached_property
    def _levels(self) -> list[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Features and thresholds by depth: node n of a level has children 2n and 2n + 1 below.

        intp, since numpy copies other index types before it takes.
        """
        depth = (self.features.shape[1] + 1).bit_length() - 1
        spans = [slice(2**level - 1, 2 ** (level + 1) - 1) for level in range(depth)]
        return [
            (self.features[:, span].ravel().astype(np.intp), self.thresholds[:, span].ravel())
            for span in spans
        ]

    def predict(self, columns: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of each of the rows, given as columns [F, N].

        Rows that the first trees are sure of keep their score: on most pages half of the blocks are
        plainly navigation. The first trees are trained with steeper steps, to be sure soon.
        """
        num_trees = len(self.features)
        bounds = [0, *(min(stage, num_trees) for stage in _STAGES), num_trees]
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
        """Sum of the leaves that these rows of `columns` [F, N] reach in the chosen trees.

        By column, since near the root most rows ask for the same feature.
        """
        first, end, _ = chosen.indices(len(self.features))
        num_rows = columns.shape[1]
        rows = np.arange(num_rows) if rows is None else rows
        values = columns.ravel()
        place = 2 * np.arange(end - first)[:, None]
        of_node, bound = self._levels[0]
        at = (of_node[first:end] * num_rows)[:, None] + rows
        place = place + (values.take(at) > bound[first:end, None])
        for level, (of_node, bound) in enumerate(self._levels[1:], 1):
            span = slice(first << level, end << level)
            (of_node[span] * num_rows).take(place, out=at, mode="clip")
            at += rows
            is_above = values.take(at) > bound[span].take(place)
            place += place
            # Added as they are, truth values would be cast piece by piece.
            place += is_above.astype(np.intp)
        leaf = self.leaves[first:end].ravel().take(place)
        score: NDArray[np.float64] = leaf.sum(axis=0, dtype=np.float64)
        return score
