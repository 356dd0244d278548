"""Random numbers keyed by (seed, sample index): no rank, batch or order enters them.

A row's numbers are a SplitMix64 stream (Steele et al. 2014) whose start is mixed from the seed, the
stream's name and the sample's index, computed for all rows at once.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Index = NDArray[np.int64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
# Low bits of a key hold its index in the row, so the keys of a row differ and their order is total.
_INDEX_BITS = np.uint64(20)


def _mixed(z: Keys) -> Keys:
    """The finaliser of SplitMix64, in place: `z` is used up."""
    z ^= z >> np.uint64(30)
    z *= np.uint64(0xBF58476D1CE4E5B9)
    z ^= z >> np.uint64(27)
    z *= np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


@lru_cache(maxsize=256)
def _stream_key(seed: int, stream: str) -> np.uint64:
    digest = hashlib.sha256(f"{seed} {stream}".encode()).digest()
    return np.uint64(int.from_bytes(digest[:8], "little"))


def bits(seed: int, sample_index: Index, count: int, *, stream: str) -> Keys:
    """Numbers [B, count] of 64 random bits; row b depends on seed, stream and `sample_index[b]`."""
    start = _mixed(sample_index.astype(np.uint64) + _stream_key(seed, stream))
    steps = np.arange(1, count + 1, dtype=np.uint64) * _STEP
    return _mixed(start[:, None] + steps)


def sort_keys(seed: int, sample_index: Index, count: int, *, stream: str) -> Keys:
    """Random keys [B, count] of which no two in a row are equal."""
    drawn = bits(seed, sample_index, count, stream=stream)
    return (drawn & ~((np.uint64(1) << _INDEX_BITS) - np.uint64(1))) | np.arange(
        count, dtype=np.uint64
    )


def uniform(seed: int, sample_index: Index, count: int, *, stream: str) -> NDArray[np.float64]:
    """Numbers [B, count] in [0, 1) of 53 random bits each."""
    drawn = bits(seed, sample_index, count, stream=stream)
    return (drawn >> np.uint64(11)).astype(np.float64) * 2.0**-53


def smallest(keys: Keys, wanted: Index, eligible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """True [B, T] at the `wanted[b]` smallest keys of row b among the eligible ones.

    All eligible ones where there are fewer. The keys of a row must differ (`sort_keys`).
    """
    masked = np.where(eligible, keys, np.iinfo(np.uint64).max)
    ordered = np.sort(masked, axis=1)
    number = np.minimum(wanted, eligible.sum(1))
    border = ordered[np.arange(len(keys)), np.maximum(number, 1) - 1]
    chosen: NDArray[np.bool_] = eligible & (masked <= border[:, None]) & (number > 0)[:, None]
    return chosen
