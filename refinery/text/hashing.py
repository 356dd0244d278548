"""Hashes of 64 bits: of one value in a kernel, of arrays elsewhere. Sums and products wrap by design."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import kernel

# Multiplier of hashes in a row: 2**64 divided by the golden ratio, odd (Knuth, TAOCP 3, section 6.4).
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


@kernel
def mix(value: np.uint64) -> np.uint64:
    """Finalise a hash (the splitmix64 finaliser, Steele et al. 2014)."""
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return value ^ (value >> np.uint64(31))


def mix_all(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """`mix` of each value of an array, by numpy."""
    mixed = (values ^ (values >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)
