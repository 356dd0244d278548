"""Gradient-boosted trees in numpy: complete trees of a fixed depth, all evaluated at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Log odds beyond which more trees change little: e**-3 is a probability of 0.05.
SURE_SCORE = 3.0


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

    def predict(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of each row [N, F].

        Rows that the first third of the trees is sure of keep its score: on most pages half of the
        blocks are plainly navigation.
        """
        first = len(self.features) // 3
        score = self.score(rows, slice(0, first))
        unsure = np.flatnonzero(np.abs(score) < SURE_SCORE)
        score[unsure] += self.score(rows[unsure], slice(first, None))
        probability: NDArray[np.float32] = (1 / (1 + np.exp(-score))).astype(np.float32)
        return probability

    def score(self, rows: NDArray[np.float32], chosen: slice) -> NDArray[np.float64]:
        """Sum of the leaves that each row [N, F] reaches in the chosen trees."""
        features, thresholds = self.features[chosen], self.thresholds[chosen]
        num_trees, num_nodes = features.shape
        num_rows, num_features = rows.shape
        values = rows.ravel()
        # intp everywhere: numpy copies other index types before it takes.
        of_node = features.ravel().astype(np.intp)
        bounds = thresholds.ravel()
        base = (np.arange(num_trees, dtype=np.intp) * num_nodes)[:, None]
        start = (np.arange(num_rows, dtype=np.intp) * num_features)[None, :]
        place = np.broadcast_to(base, (num_trees, num_rows))
        shift = 1 - base
        for _ in range((num_nodes + 1).bit_length() - 1):
            value = values.take(of_node.take(place) + start)
            place = 2 * place + (value > bounds.take(place)) + shift
        leaf = self.leaves[chosen].ravel().take(place + (base // num_nodes - num_nodes))
        score: NDArray[np.float64] = leaf.sum(axis=0, dtype=np.float64)
        return score
