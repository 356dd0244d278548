from __future__ import annotations

import numpy as np

from refinery.dedup.similarity import compare


def test_measures_are_those_of_sets() -> None:
    left, right = np.array([1, 2, 3, 4], np.uint32), np.array([3, 4, 5], np.uint32)

    found = compare(left, right)

    assert (found.jaccard, found.containment) == (2 / 5, 2 / 3)
    assert compare(left[:0], right[:0]).jaccard == 1.0
    assert compare(left, right[:0]).containment == 0.0
