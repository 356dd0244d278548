"""Shingles, MinHash signatures and bands of a batch of texts, in plain loops.

A shingle is a run of tokens of `TextBatch`: five words, or five Chinese characters. The upper half of its
hash stands for it: of two sets of n shingles, n**2 / 2**32 are shared by accident, below 3 in 100,000 of
them up to 100,000 shingles. Signatures are those of datasketch's `MinHash` with its scheme `affine32`.

Legend: K tokens, D documents, S shingles, P permutations, B bands.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Matrix, kernel
from refinery.text.batch import Hashes, Indices, TokenHashes
from refinery.text.hashing import GOLDEN, mix
from refinery.text.utf8 import Texts

Halves = NDArray[np.uint32]
Bands = NDArray[np.int64]

EMPTY_SLOT = np.uint32(0xFFFFFFFF)
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class ShingleSets:
    """The sorted distinct shingles of D documents.

    Attributes:
        hashes: [S] those of all documents, one after the other.
        bounds: [D + 1] first shingle of each document.
    """

    hashes: Halves
    bounds: Indices

    @classmethod
    def of(cls, texts: Texts, tokens: int) -> ShingleSets:
        """Runs of so many tokens; a shorter text gives one shingle of all that it has."""
        found = TokenHashes.of(texts)
        return cls.distinct(*shingle_hashes(found.hashes_K, found.bounds_D, tokens))

    @classmethod
    def distinct(cls, hashes: Halves, bounds: Indices) -> ShingleSets:
        """Sets of hashes in any order and number; `hashes` are sorted on the way."""
        for first, last in itertools.pairwise(bounds.tolist()):
            hashes[first:last].sort()
        return cls(*_keep_first(hashes, bounds))

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __iter__(self) -> Iterator[Halves]:
        for first, last in itertools.pairwise(self.bounds.tolist()):
            yield self.hashes[first:last]


@functools.cache
def permutations(num: int, seed: int) -> tuple[Halves, Halves]:
    """Odd multipliers and offsets of `num` multiply-add hashes modulo 2**32: datasketch's."""
    from datasketch import MinHash  # with scipy behind it: a third of a second

    multipliers, offsets = MinHash(num, seed, scheme="affine32").permutations
    return np.ascontiguousarray(multipliers), np.ascontiguousarray(offsets)


def sign_sets(sets: ShingleSets, num: int, seed: int) -> Matrix[Halves]:
    """[D, num] the least value of each permutation over a document's shingles.

    Equal, bit for bit, to the `hashvalues` of datasketch's `MinHash(num, seed, scheme="affine32")`
    that was updated with the shingles. A document without any keeps EMPTY_SLOT.
    """
    return least_values(sets.hashes, sets.bounds, *permutations(num, seed))


@kernel
def shingle_hashes(hashes_K: Hashes, bounds_D: Indices, tokens: int) -> tuple[Halves, Indices]:
    """The shingles of each document in the order of the text, and [D + 1] where each begins."""
    num_documents = len(bounds_D) - 1
    firsts_D = np.zeros(num_documents + 1, np.int64)
    for document in range(num_documents):
        count = bounds_D[document + 1] - bounds_D[document]
        firsts_D[document + 1] = firsts_D[document] + max(count - tokens + 1, min(count, 1))
    halves_S = np.empty(firsts_D[num_documents], np.uint32)
    for document in range(num_documents):
        first, last = bounds_D[document], bounds_D[document + 1]
        length = min(tokens, last - first)
        for shingle in range(firsts_D[document + 1] - firsts_D[document]):
            value = np.uint64(0)
            for token in range(first + shingle, first + shingle + length):
                value = value * GOLDEN + hashes_K[token]
            halves_S[firsts_D[document] + shingle] = np.uint32(mix(value) >> _HALF)
    return halves_S, firsts_D


@kernel
def _keep_first(hashes_S: Halves, bounds_D: Indices) -> tuple[Halves, Indices]:
    """Each of equal neighbours once, of every document."""
    kept_S = np.empty(len(hashes_S), np.uint32)
    firsts_D = np.zeros(len(bounds_D), np.int64)
    count = 0
    for document in range(len(bounds_D) - 1):
        first = bounds_D[document]
        for shingle in range(first, bounds_D[document + 1]):
            if shingle == first or hashes_S[shingle] != hashes_S[shingle - 1]:
                kept_S[count] = hashes_S[shingle]
                count += 1
        firsts_D[document + 1] = count
    return kept_S[:count].copy(), firsts_D


@kernel
def _finalise(half: np.uint32) -> np.uint32:
    """MurmurHash3's finaliser of 32 bits, with which `affine32` mixes each hash once."""
    value = np.uint64(half)
    value = ((value ^ (value >> np.uint64(16))) * np.uint64(0x85EBCA6B)) & _LOW
    value = ((value ^ (value >> np.uint64(13))) * np.uint64(0xC2B2AE35)) & _LOW
    return np.uint32(value ^ (value >> np.uint64(16)))


@kernel
def least_values(
    hashes_S: Halves, bounds_D: Indices, multipliers_P: Halves, offsets_P: Halves
) -> Matrix[Halves]:
    """[D, P] the least of multiplier x shingle + offset modulo 2**32, over each document's shingles."""
    num_documents, num_permutations = len(bounds_D) - 1, len(multipliers_P)
    slots_DP = np.empty((num_documents, num_permutations), np.uint32)
    mixed_S = np.empty(len(hashes_S), np.uint32)
    for shingle in range(len(hashes_S)):
        mixed_S[shingle] = _finalise(hashes_S[shingle])
    for document in range(num_documents):
        own_S = mixed_S[bounds_D[document] : bounds_D[document + 1]]
        for permutation in range(num_permutations):
            multiplier = np.uint64(multipliers_P[permutation])
            offset = np.uint64(offsets_P[permutation])
            least = EMPTY_SLOT
            for shingle in range(len(own_S)):
                value = np.uint32((multiplier * np.uint64(own_S[shingle]) + offset) & _LOW)
                least = min(least, value)
            slots_DP[document, permutation] = least
    return slots_DP


@kernel
def hash_bands(slots_DP: Matrix[Halves], num_bands: int) -> Matrix[Bands]:
    """[D, B] one hash per band of consecutive slots, as Spark's signed bigint."""
    num_documents, rows = slots_DP.shape[0], slots_DP.shape[1] // num_bands
    bands_DB = np.empty((num_documents, num_bands), np.int64)
    for document in range(num_documents):
        for band in range(num_bands):
            value = np.uint64(band)
            for row in range(band * rows, (band + 1) * rows):
                value = mix(value * GOLDEN + np.uint64(slots_DP[document, row]))
            bands_DB[document, band] = np.int64(value)
    return bands_DB
