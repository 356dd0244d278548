"""Characters inside n-grams of tokens that repeat within their document.

Sources: Rae et al. 2021 (Gopher), appendix A.1.1 and table A1. Where published code disagrees on a formula, the
paper's words are followed: characters inside any repeated n-gram are counted once.

Legend: C code points, D documents, K tokens, T lengths of `TOP_NGRAMS`, R lengths of `DUPLICATE_NGRAMS`.
"""

from __future__ import annotations

import numpy as np

from refinery.compiled import Filled, Matrix, kernel
from refinery.text.batch import Hashes, Indices, TextBatch
from refinery.text.first_equal import SALT, empty_slots, first_equals, table_size
from refinery.text.hashing import GOLDEN

LEAST_TOP, MOST_TOP = 2, 4
LEAST_DUPLICATE, MOST_DUPLICATE = 5, 10
TOP_NGRAMS = tuple(range(LEAST_TOP, MOST_TOP + 1))
DUPLICATE_NGRAMS = tuple(range(LEAST_DUPLICATE, MOST_DUPLICATE + 1))


def repeated_chars(batch: TextBatch) -> tuple[Matrix[Indices], Matrix[Indices]]:
    """([D, T] characters of the n-gram that covers most, [D, R] characters inside any that repeats)."""
    return scan_ngrams(
        batch.token_hashes,
        batch.token_ends - batch.token_starts,
        batch.token_bounds,
        SALT,
    )


@kernel
def scan_ngrams(
    hashes_K: Hashes,
    chars_K: Indices,
    bounds_D: Indices,
    salt: np.uint64,
) -> tuple[Matrix[Indices], Matrix[Indices]]:
    """`repeated_chars` of all documents.

    An n-gram can repeat only where the (n - 1)-gram at its start does. So each length looks only at
    the starts that the one before left: beyond pairs of words they are few in ordinary text.
    """
    num_documents = len(bounds_D) - 1
    top_DT = np.zeros((num_documents, MOST_TOP - LEAST_TOP + 1), np.int64)
    inside_DR = np.zeros((num_documents, MOST_DUPLICATE - LEAST_DUPLICATE + 1), np.int64)
    # For the longest document: what a short one needs stays in the processor's cache.
    most = 0
    for document in range(num_documents):
        most = max(most, bounds_D[document + 1] - bounds_D[document])
    slots_S = empty_slots(most)
    starts_N, grams_N = np.empty(most, np.int64), np.empty(most, np.uint64)
    firsts_N, times_N = np.empty(most, np.int64), np.empty(most, np.int64)
    before_N = np.zeros(most + 1, np.int64)
    base = 0
    for document in range(num_documents):
        own_K = hashes_K[bounds_D[document] : bounds_D[document + 1]]
        count = len(own_K)
        for token in range(count):
            starts_N[token], grams_N[token] = token, own_K[token]
            before_N[token + 1] = before_N[token] + chars_K[bounds_D[document] + token]
        for n in range(2, MOST_DUPLICATE + 1):
            count = _extend(starts_N, grams_N, count, own_K, n)
            if count == 0:
                break
            small_S = slots_S[: table_size(count)]
            first_equals(small_S, grams_N[:count], base, salt, firsts_N)
            times_N[:count] = 0
            for gram in range(count):
                times_N[firsts_N[gram]] += 1
            base += count
            if n <= MOST_TOP:
                top_DT[document, n - LEAST_TOP] = _top(starts_N, times_N, count, n, before_N)
            count = _keep_repeated(starts_N, grams_N, firsts_N, times_N, count)
            if n >= LEAST_DUPLICATE:
                inside_DR[document, n - LEAST_DUPLICATE] = _inside(starts_N, count, n, before_N)
    return top_DT, inside_DR


@kernel
def _extend(
    starts_N: Filled[Indices],
    grams_N: Filled[Hashes],
    count: int,
    own_K: Hashes,
    n: int,
) -> int:
    """Add the n-th token to each (n - 1)-gram that has one behind it; returns how many there are."""
    kept = 0
    for gram in range(count):
        start = starts_N[gram]
        if start + n <= len(own_K):
            starts_N[kept] = start
            grams_N[kept] = grams_N[gram] * GOLDEN + own_K[start + n - 1]
            kept += 1
    return kept


@kernel
def _keep_repeated(
    starts_N: Filled[Indices],
    grams_N: Filled[Hashes],
    firsts_N: Indices,
    times_N: Indices,
    count: int,
) -> int:
    kept = 0
    for gram in range(count):
        if times_N[firsts_N[gram]] > 1:
            starts_N[kept], grams_N[kept] = starts_N[gram], grams_N[gram]
            kept += 1
    return kept


@kernel
def _top(starts_N: Indices, times_N: Indices, count: int, n: int, before_N: Indices) -> int:
    """Characters of the repeated n-gram that covers most: its own, times its occurrences."""
    most = 0
    for gram in range(count):
        if times_N[gram] > 1:
            chars = before_N[starts_N[gram] + n] - before_N[starts_N[gram]]
            most = max(most, chars * times_N[gram])
    return most


@kernel
def _inside(starts_N: Indices, count: int, n: int, before_N: Indices) -> int:
    """Characters of the tokens inside any of the n-grams at these starts, each counted once."""
    chars = 0
    for gram in range(count):
        end = starts_N[gram] + n
        if gram + 1 < count:
            end = min(end, starts_N[gram + 1])
        chars += before_N[end] - before_N[starts_N[gram]]
    return chars
