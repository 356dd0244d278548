"""Hashes of runs of tokens: a filter over their beginnings, and exact look-up behind it.

Legend: D documents, E entries of the index, K tokens, N runs, R kinds of entries, W words of the filter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, kernel, read_only
from refinery.text.batch import Hashes, Indices, TokenHashes, offsets_of
from refinery.text.hashing import mix, mix_all

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_ONE, _SIX, _LOW = np.uint64(1), np.uint64(6), np.uint64(63)
MIN_WORDS_LOG2, MAX_WORDS_LOG2 = 10, 27
# Bits per key, before the table's size is rounded up to a power of two: under 1 % of other runs
# pass with 24 (Putze et al. 2007, blocked Bloom filters with one word per key).
BITS_PER_KEY = 24


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

    def scan(self, tokens: TokenHashes) -> tuple[Indices, Hashes]:
        """First tokens and unfinished hashes of the runs within texts that may be among the filter's."""
        return scan_runs(self.words, tokens.hashes_K, tokens.bounds_D, self.tokens)


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


class Entries(NamedTuple):
    """Finished hashes of runs by kind, which is their length.

    Attributes:
        lengths_R: [R] tokens of each kind, rising.
        bounds_R: [R + 1] first entry of each kind.
        hashes_E: [E] sorted within each kind.
    """

    lengths_R: Indices
    bounds_R: Indices
    hashes_E: Hashes


@dataclass(frozen=True)
class Runs:
    """Runs of the items' tokens that texts are searched for: n-grams, or whole items that are shorter.

    Attributes:
        entries: Their hashes.
        firsts: [E] the item's token where each begins; rising among equal hashes.
    """

    entries: Entries
    firsts: NDArray[np.int32]

    @classmethod
    def of(cls, kinds: Sequence[tuple[int, Hashes, Indices]]) -> Runs:
        """Sort runs, given as (tokens, finished hashes, firsts) of each length; those without any are left out."""
        used = [kind for kind in kinds if len(kind[1])]
        hashes, firsts = [np.zeros(0, np.uint64)], [np.zeros(0, np.int32)]
        for _, own, begins in used:
            order = np.lexsort((begins, own))
            hashes.append(own[order])
            firsts.append(begins[order].astype(np.int32))
        lengths = np.array([tokens for tokens, _, _ in used], np.int64)
        bounds = offsets_of([len(own) for _, own, _ in used])
        return cls.over(lengths, bounds, np.concatenate(hashes), np.concatenate(firsts))

    @classmethod
    def over(
        cls, lengths: Indices, bounds: Indices, hashes: Hashes, firsts: NDArray[np.int32]
    ) -> Runs:
        """Runs over arrays that are sorted already."""
        return cls(Entries(read_only(lengths), read_only(bounds), read_only(hashes)), firsts)

    def __len__(self) -> int:
        return len(self.firsts)

    def find(
        self,
        tokens: TokenHashes,
        begins: tuple[Indices, Hashes],
        length: int,
        may_end: NDArray[np.bool_] | None = None,
    ) -> Iterator[tuple[int, int, int, NDArray[np.int32]]]:
        """(first token, tokens, finished hash, firsts of the items' runs) of the texts' runs that are among these.

        Args:
            tokens: The texts.
            begins: First tokens and unfinished hashes of runs of `length` tokens that may grow to one.
            length: At most the tokens of any run.
            may_end: [K + 1] before which tokens a run may end; None: before each.
        """
        if may_end is None:
            may_end = np.ones(len(tokens.hashes_K) + 1, bool)
        columns = look_up(tokens.hashes_K, tokens.bounds_D, *begins, length, may_end, self.entries)
        hashes = self.entries.hashes_E.view(np.int64)
        for first, num_tokens, low, high in zip(*(c.tolist() for c in columns), strict=True):
            yield first, num_tokens, int(hashes[low]), self.firsts[low:high]


@kernel
def look_up(
    hashes_K: Hashes,
    bounds_D: Indices,
    firsts_N: Indices,
    values_N: Hashes,
    tokens: int,
    may_end_K: NDArray[np.bool_],
    entries: Entries,
) -> tuple[Indices, Indices, Indices, Indices]:
    """Grow runs to the length of each kind and look them up: first token, tokens, first entry, the entry behind.

    Args:
        hashes_K: Of the texts' tokens.
        bounds_D: First token of each text.
        firsts_N: First tokens of the runs, rising.
        values_N: Their unfinished hashes over `tokens` tokens.
        tokens: At most the length of any kind.
        may_end_K: [K + 1] before which tokens a run may end.
        entries: Of the index.
    """
    lengths_R, bounds_R, hashes_E = entries.lengths_R, entries.bounds_R, entries.hashes_E
    most = len(firsts_N) * len(lengths_R)
    found_firsts, found_tokens = np.empty(most, np.int64), np.empty(most, np.int64)
    lows, highs = np.empty(most, np.int64), np.empty(most, np.int64)
    count = document = 0
    for run in range(len(firsts_N)):
        first, value, length = firsts_N[run], values_N[run], tokens
        while bounds_D[document + 1] <= first:
            document += 1
        for kind in range(len(lengths_R)):
            if first + lengths_R[kind] > bounds_D[document + 1]:
                break
            while length < lengths_R[kind]:
                value = value * _FACTOR + hashes_K[first + length]
                length += 1
            if not may_end_K[first + length]:
                continue
            sought, low, high = mix(value), bounds_R[kind], bounds_R[kind + 1]
            while low < high:
                middle = (low + high) // 2
                if hashes_E[middle] < sought:
                    low = middle + 1
                else:
                    high = middle
            while high < bounds_R[kind + 1] and hashes_E[high] == sought:
                high += 1
            if low < high:
                found_firsts[count], found_tokens[count] = first, length
                lows[count], highs[count] = low, high
                count += 1
    return (
        found_firsts[:count].copy(),
        found_tokens[:count].copy(),
        lows[:count].copy(),
        highs[:count].copy(),
    )


def run_hashes(token_hashes: Hashes, firsts: Indices, tokens: int) -> tuple[Hashes, Hashes]:
    """Unfinished and finished hashes of the runs that begin at `firsts`."""
    value = token_hashes[firsts]
    for index in range(1, tokens):
        value *= _FACTOR
        value += token_hashes[firsts + index]
    return value, mix_all(value)
