"""Exact similarity of shingle sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Shingles = NDArray[np.uint32] | NDArray[np.uint64]


@dataclass(frozen=True)
class Similarity:
    """Jaccard similarity, and the share of the smaller set that lies in the other."""

    jaccard: float
    containment: float


def compare(left: Shingles, right: Shingles) -> Similarity:
    """Compare two sorted sets; two empty sets are equal."""
    if len(left) == 0 or len(right) == 0:
        same = float(len(left) == len(right))
        return Similarity(same, same)
    shared = len(np.intersect1d(left, right, assume_unique=True))
    union = len(left) + len(right) - shared
    return Similarity(shared / union, shared / min(len(left), len(right)))
