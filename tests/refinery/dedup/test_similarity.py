from __future__ import annotations

import numpy as np

from refinery.dedup.signing import stored_sets
from refinery.dedup.similarity import compare


def test_measures_are_those_of_sets() -> None:
    left, right = np.array([1, 2, 3, 4], np.uint32), np.array([3, 4, 5], np.uint32)

    found = compare(left, right)

    assert (found.jaccard, found.containment) == (2 / 5, 2 / 3)
    assert compare(left[:0], right[:0]).jaccard == 1.0
    assert compare(left, right[:0]).containment == 0.0


def test_stored_sets_are_sorted_distinct_halves_by_document() -> None:
    high = np.uint64(1 << 32)
    values = [np.uint64(v) * high for v in (1, 1, 2**31, 2**32 - 1)]
    first = np.array([values[0], values[1] + np.uint64(7), values[2], values[3]], np.uint64)
    sets = [first, np.zeros(0, np.uint64), np.array([values[3]], np.uint64)]

    flat, offsets = stored_sets(sets)

    assert offsets.tolist() == [0, 3, 3, 4]
    assert flat.view(np.uint32).tolist() == [1, 2**31, 2**32 - 1, 2**32 - 1]
