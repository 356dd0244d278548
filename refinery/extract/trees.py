"""Gradient-boosted trees in numpy: complete trees of a fixed depth, all evaluated at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Forest:
    """Complete binary trees in heap order: `features`/`thresholds` [T, 2**d - 1], leaves [T, 2**d].

    A row goes right where its value is above the threshold.
    """

    features: NDArray[np.int32]
    thresholds: NDArray[np.float32]
    leaves: NDArray[np.float32]

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Forest:
        """Read from the arrays of a file of weights."""
        return cls(
            arrays["features"].astype(np.int32),
            arrays["thresholds"].astype(np.float32),
            arrays["leaves"].astype(np.float32),
        )

    def predict(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of each row [N, F]."""
        num_trees, num_nodes = self.features.shape
        num_rows, num_features = rows.shape
        flat = np.ascontiguousarray(rows).ravel()
        features, thresholds = self.features.ravel(), self.thresholds.ravel()
        base = (np.arange(num_trees, dtype=np.int32) * num_nodes)[:, None]
        start = (np.arange(num_rows, dtype=np.int32) * num_features)[None, :]
        node = np.zeros((num_trees, num_rows), np.int32)
        depth = (num_nodes + 1).bit_length() - 1
        for _ in range(depth):
            place = node + base
            value = flat.take(start + features.take(place))
            node = 2 * node + 1 + (value > thresholds.take(place))
        node -= num_nodes
        leaf = self.leaves.ravel().take(
            node + (np.arange(num_trees, dtype=np.int32) * (num_nodes + 1))[:, None]
        )
        score = leaf.sum(axis=0, dtype=np.float64)
        probability: NDArray[np.float32] = (1 / (1 + np.exp(-score))).astype(np.float32)
        return probability


def choose_cut(probability: NDArray[np.float32], words: NDArray[np.float32]) -> NDArray[np.bool_]:
    """The blocks whose keeping maximises the expected word-level F1 of the page.

    With blocks in falling order of probability, F1 of the first k is about
    2 sum(p w) / (sum(w) + W), W being all expected content words of the page.
    """
    order = np.argsort(-probability, kind="stable")
    expected = np.cumsum((probability * words)[order], dtype=np.float64)
    kept = np.cumsum(words[order], dtype=np.float64)
    if expected[-1] <= 0:
        return np.ones(len(words), np.bool_)
    best = int(np.argmax(2 * expected / (kept + expected[-1])))
    chosen = np.zeros(len(words), np.bool_)
    chosen[order[: best + 1]] = True
    return chosen
