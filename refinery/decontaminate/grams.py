"""Hashes of runs of tokens: a filter over their beginnings, and exact look-up behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.text.batch import Hashes, Indices
from refinery.text.hashing import mix_all

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_ONE, _SIX, _LOW = np.uint64(1), np.uint64(6), np.uint64(63)
MIN_WORDS_LOG2, MAX_WORDS_LOG2 = 10, 27
# Bits per key, before the table's size is rounded up to a power of two: under 1 % of other runs
# pass with 24 (Putze et al. 2007, blocked Bloom filters with one word per key).
BITS_PER_KEY = 24


def prefix_hashes(token_hashes: Hashes, tokens: int) -> Hashes:
    """[K - tokens + 1] unfinished hash of every run of `tokens`; grown further by `grow`."""
    count = max(0, len(token_hashes) - tokens + 1)
    value = token_hashes[:count].copy()
    for index in range(1, tokens):
        value *= _FACTOR
        value += token_hashes[index : index + count]
    return value


def grow(value: Hashes, token_hashes: Hashes, tokens: Indices) -> Hashes:
    """Hashes of runs that are one token longer; `tokens` are the indices of the new ones."""
    grown = value * _FACTOR
    grown += token_hashes[tokens]
    return np.asarray(grown, np.uint64)


@dataclass(frozen=True)
class RunFilter:
    """A Bloom filter over runs of `tokens` tokens: two bits in one 64-bit word for each.

    One word is one access to memory, which is what a scan against millions of runs waits for.
    """

    tokens: int
    words: Hashes

    @classmethod
    def of(cls, tokens: int, prefixes: Hashes) -> RunFilter:
        """A filter that all of the given unfinished hashes pass."""
        keys = np.unique(prefixes)
        wanted = int(np.ceil(np.log2(max(1, len(keys) * BITS_PER_KEY / 64))))
        size = min(MAX_WORDS_LOG2, max(MIN_WORDS_LOG2, wanted))
        words = np.zeros(1 << size, np.uint64)
        np.bitwise_or.at(words, _slots(keys, size), _bits(keys))
        return cls(tokens, words)

    def passing(self, prefixes: Hashes) -> Indices:
        """Indices of hashes that may be among those of the filter."""
        bits = _bits(prefixes)
        hits = self.words[_slots(prefixes, len(self.words).bit_length() - 1)]
        hits &= bits
        return np.flatnonzero(hits == bits)


def _slots(hashes: Hashes, size: int) -> NDArray[np.int64]:
    return (hashes >> np.uint64(64 - size)).view(np.int64)


def _bits(hashes: Hashes) -> Hashes:
    bits = np.left_shift(_ONE, hashes & _LOW)
    bits |= np.left_shift(_ONE, (hashes >> _SIX) & _LOW)
    return np.asarray(bits, np.uint64)


@dataclass(frozen=True)
class Runs:
    """Sorted hashes of runs of one length, and the item's token where each begins.

    `whole_line` runs are whole items, shorter than their benchmark's n-gram.
    """

    tokens: int
    whole_line: bool
    hashes: Hashes
    firsts: NDArray[np.int32]

    @classmethod
    def of(cls, tokens: int, hashes: Hashes, firsts: Indices, *, whole_line: bool) -> Runs:
        """Sort by hash, then by first token."""
        order = np.lexsort((firsts, hashes))
        return cls(tokens, whole_line, hashes[order], firsts[order].astype(np.int32))

    def bounds(self, hashes: Hashes) -> tuple[Indices, Indices]:
        """Where the hashes stand among the sorted ones: (first index, one past the last)."""
        return (
            np.searchsorted(self.hashes, hashes, side="left"),
            np.searchsorted(self.hashes, hashes, side="right"),
        )


def run_hashes(token_hashes: Hashes, firsts: Indices, tokens: int) -> tuple[Hashes, Hashes]:
    """Unfinished and finished hashes of the runs that begin at `firsts`."""
    value = token_hashes[firsts]
    for index in range(1, tokens):
        value = grow(value, token_hashes, firsts + index)
    return value, mix_all(value)
