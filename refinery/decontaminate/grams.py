"""Hashes of runs of tokens: a filter over their beginnings, and exact look-up behind it.

Legend: D documents, K tokens, N runs, W words of the filter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, kernel
from refinery.text.batch import Hashes, Indices, TextBatch
from refinery.text.hashing import mix_all

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_ONE, _SIX, _LOW = np.uint64(1), np.uint64(6), np.uint64(63)
MIN_WORDS_LOG2, MAX_WORDS_LOG2 = 10, 27
# Bits per key, before the table's size is rounded up to a power of two: under 1 % of other runs
# pass with 24 (Putze et al. 2007, blocked Bloom filters with one word per key).
BITS_PER_KEY = 24


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
        fill_filter(words, keys)
        return cls(tokens, words)

    def passing(self, prefixes: Hashes) -> Indices:
        """Indices of unfinished hashes that may be among those of the filter."""
        return find_passing(self.words, prefixes)

    def scan(self, batch: TextBatch) -> tuple[Indices, Hashes]:
        """First tokens and unfinished hashes of the runs within texts that may be among the filter's."""
        return scan_runs(self.words, batch.token_hashes, batch.token_bounds, self.tokens)


@kernel
def _bits(value: np.uint64) -> np.uint64:
    """The two bits of a run in its word."""
    return _ONE << (value & _LOW) | _ONE << ((value >> _SIX) & _LOW)


@kernel
def _shift(words_W: Hashes) -> np.uint64:
    """By how much a hash is shifted to be the index of a word: its top bits are."""
    shift, size = 64, 1
    while size < len(words_W):
        shift, size = shift - 1, size * 2
    return np.uint64(shift)


@kernel
def fill_filter(words_W: Filled[Hashes], keys_N: Hashes) -> None:
    shift = _shift(words_W)
    for key in range(len(keys_N)):
        words_W[keys_N[key] >> shift] |= _bits(keys_N[key])


@kernel
def find_passing(words_W: Hashes, prefixes_N: Hashes) -> Indices:
    """Indices of the hashes both of whose bits are set."""
    shift, count = _shift(words_W), 0
    passing_N = np.empty(len(prefixes_N), np.int64)
    for run in range(len(prefixes_N)):
        bits = _bits(prefixes_N[run])
        if words_W[prefixes_N[run] >> shift] & bits == bits:
            passing_N[count] = run
            count += 1
    return passing_N[:count].copy()


@kernel
def scan_runs(
    words_W: Hashes, hashes_K: Hashes, bounds_D: Indices, tokens: int
) -> tuple[Indices, Hashes]:
    """First token and unfinished hash of each run of `tokens` within a document that passes the filter.

    The hash of the next run is that of this one without its first token, times the factor, plus the next
    token: exact, since all sums are modulo 2**64.
    """
    shift, count = _shift(words_W), 0
    firsts_N, values_N = np.empty(len(hashes_K), np.int64), np.empty(len(hashes_K), np.uint64)
    leading = np.uint64(1)
    for _ in range(tokens - 1):
        leading *= _FACTOR
    for document in range(len(bounds_D) - 1):
        own_K = hashes_K[bounds_D[document] : bounds_D[document + 1]]
        value = np.uint64(0)
        for token in range(len(own_K)):
            if token >= tokens:
                value -= own_K[token - tokens] * leading
            value = value * _FACTOR + own_K[token]
            bits = _bits(value)
            if token >= tokens - 1 and words_W[value >> shift] & bits == bits:
                firsts_N[count] = bounds_D[document] + token - (tokens - 1)
                values_N[count] = value
                count += 1
    return firsts_N[:count].copy(), values_N[:count].copy()


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
