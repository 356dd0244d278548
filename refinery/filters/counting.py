"""What values are shares of: characters, words, lines, paragraphs and sentences of each document.

Legend: C code points, D documents, K tokens, L lines, N paragraphs, M characters of a set, S slots, W words of all lists.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Matrix, kernel
from refinery.text.batch import (
    CJK,
    CJK_SENTENCE_MARK,
    KIND,
    LETTER,
    SENTENCE_MARK,
    SMALL,
    SPACE,
    Classes,
    Codes,
    Hashes,
    Indices,
)
from refinery.text.first_equal import empty_slots, first_equals
from refinery.text.hashing import GOLDEN

Mask = NDArray[np.bool_]

SHORT_LINE_CHARS = 30
# Columns of `count_chars`, `count_words` and `count_copies`.
VISIBLE, HASHES, ELLIPSES, NEWLINES, CURLY_BRACKETS = range(5)
CHARS, WITH_LETTER, LOREM_IPSUM = range(3)
ALL, ALL_CHARS, COPIES, COPIED_CHARS = range(4)
_DOT, _ELLIPSIS, _NEWLINE, _BLANK, _HASH, _CURLY = 0x2E, 0x2026, 10, 0x20, 0x23, 0x7B


@kernel
def count_chars(codes_C: Codes, classes_C: Classes, starts_D: Indices) -> Matrix[Indices]:
    """[D, 5] characters that are no blank, "#", ellipses ("…", or a run of three dots and more), newlines, "{"."""
    counts_D = np.zeros((len(starts_D) - 1, 5), np.int64)
    for document in range(len(starts_D) - 1):
        codes = codes_C[starts_D[document] : starts_D[document + 1]]
        classes = classes_C[starts_D[document] : starts_D[document + 1]]
        visible = ellipses = newlines = hashes = brackets = 0
        # Sums without branches: the processor takes a dozen characters at once.
        for char in range(len(codes)):
            visible += classes[char] & KIND != SPACE
            ellipses += codes[char] == _ELLIPSIS
            newlines += codes[char] == _NEWLINE
            hashes += codes[char] == _HASH
            brackets += codes[char] == _CURLY
        if len(codes) > 2:
            ellipses += (codes[0] == _DOT) & (codes[1] == _DOT) & (codes[2] == _DOT)
        for char in range(len(codes) - 3):
            begins = (codes[char] != _DOT) & (codes[char + 1] == _DOT)
            ellipses += begins & (codes[char + 2] == _DOT) & (codes[char + 3] == _DOT)
        counts_D[document, VISIBLE], counts_D[document, ELLIPSES] = visible, ellipses
        counts_D[document, NEWLINES], counts_D[document, HASHES] = newlines, hashes
        counts_D[document, CURLY_BRACKETS] = brackets
    return counts_D


@kernel
def count_words(
    classes_C: Classes,
    starts_K: Indices,
    ends_K: Indices,
    hashes_K: Hashes,
    bounds_D: Indices,
    lorem: np.uint64,
    ipsum: np.uint64,
) -> Matrix[Indices]:
    """[D, 3] characters of all words, words that have a letter, "lorem" with "ipsum" behind it."""
    counts_D = np.zeros((len(bounds_D) - 1, 3), np.int64)
    for document in range(len(bounds_D) - 1):
        after_lorem = False
        for token in range(bounds_D[document], bounds_D[document + 1]):
            counts_D[document, CHARS] += ends_K[token] - starts_K[token]
            for char in range(starts_K[token], ends_K[token]):
                if classes_C[char] & LETTER:
                    counts_D[document, WITH_LETTER] += 1
                    break
            counts_D[document, LOREM_IPSUM] += after_lorem and hashes_K[token] == ipsum
            after_lorem = hashes_K[token] == lorem
    return counts_D


@kernel
def count_distinct(
    hashes_K: Hashes, bounds_D: Indices, words_W: Hashes, numbers_S: Classes, second: int
) -> Matrix[Indices]:
    """[D, 2] how many words of a list occur in each document, and of a second list.

    Args:
        hashes_K: Tokens.
        bounds_D: First token of each document.
        words_W: Hashes of the words of both lists.
        numbers_S: By the top 16 bits of a hash: the number of its word from 1, or 0.
        second: Where the second list begins.
    """
    counts_D = np.zeros((len(bounds_D) - 1, 2), np.int64)
    seen_W = np.full(len(words_W), -1, np.int64)
    for document in range(len(bounds_D) - 1):
        for token in range(bounds_D[document], bounds_D[document + 1]):
            number = numbers_S[np.int64(hashes_K[token] >> np.uint64(48))]
            if number == 0:
                continue
            word = np.int64(number) - 1
            if words_W[word] == hashes_K[token] and seen_W[word] != document:
                seen_W[word] = document
                counts_D[document, np.int64(word >= second)] += 1
    return counts_D


@kernel
def is_in(code: np.uint32, codes_M: Codes) -> bool:
    found = False
    for member in range(len(codes_M)):
        found |= codes_M[member] == code
    return found


@kernel
def end_in_dots(codes_C: Codes, starts_L: Indices, ends_L: Indices) -> Mask:
    """[L] whether a line ends in three dots."""
    dotted_L = np.zeros(len(starts_L), np.bool_)
    for line in range(len(starts_L)):
        end = ends_L[line]
        if end - starts_L[line] >= 3:
            dots = 0
            for char in range(end - 3, end):
                dots += codes_C[char] == _DOT
            dotted_L[line] = dots == 3
    return dotted_L


@kernel
def are_short(classes_C: Classes, starts_L: Indices, ends_L: Indices) -> Mask:
    """[L] whether a line has at most SHORT_LINE_CHARS columns.

    CJK characters take two: fifteen of them are as long as thirty letters.
    """
    short_L = np.zeros(len(starts_L), np.bool_)
    for line in range(len(starts_L)):
        columns = ends_L[line] - starts_L[line]
        if columns <= SHORT_LINE_CHARS:
            for char in range(starts_L[line], ends_L[line]):
                columns += classes_C[char] & KIND == CJK
            short_L[line] = columns <= SHORT_LINE_CHARS
    return short_L


@kernel
def join_paragraphs(
    codes_C: Codes, starts_L: Indices, ends_L: Indices, documents_L: Indices, hashes_L: Hashes
) -> tuple[Indices, Indices, Indices, Hashes]:
    """Start, end, document and hash of runs of lines without an empty line between them."""
    starts_N, ends_N = np.empty(len(starts_L), np.int64), np.empty(len(starts_L), np.int64)
    documents_N, hashes_N = np.empty(len(starts_L), np.int64), np.empty(len(starts_L), np.uint64)
    count = 0
    for line in range(len(starts_L)):
        if (
            line == 0
            or documents_L[line] != documents_L[line - 1]
            or _newlines(codes_C, ends_L[line - 1], starts_L[line]) > 1
        ):
            starts_N[count], documents_N[count] = starts_L[line], documents_L[line]
            hashes_N[count] = np.uint64(0)
            count += 1
        value = (hashes_N[count - 1] ^ hashes_L[line]) * GOLDEN
        hashes_N[count - 1] = value ^ (value >> np.uint64(32))
        ends_N[count - 1] = ends_L[line]
    return (
        starts_N[:count].copy(),
        ends_N[:count].copy(),
        documents_N[:count].copy(),
        hashes_N[:count].copy(),
    )


@kernel
def count_copies(
    starts_L: Indices,
    ends_L: Indices,
    documents_L: Indices,
    hashes_L: Hashes,
    salt: np.uint64,
    num_documents: int,
) -> Matrix[Indices]:
    """[D, 4] lines, their characters, those that equal an earlier line of the document, and their characters."""
    counts_D = np.zeros((num_documents, 4), np.int64)
    firsts_L = np.empty(len(starts_L), np.int64)
    slots_S = empty_slots(len(starts_L))
    first = 0
    while first < len(starts_L):
        document, last = documents_L[first], first + 1
        while last < len(starts_L) and documents_L[last] == document:
            last += 1
        first_equals(slots_S, hashes_L[first:last], first, salt, firsts_L[first:last])
        for line in range(first, last):
            chars = ends_L[line] - starts_L[line]
            counts_D[document, ALL] += 1
            counts_D[document, ALL_CHARS] += chars
            if firsts_L[line] < line - first:
                counts_D[document, COPIES] += 1
                counts_D[document, COPIED_CHARS] += chars
        first = last
    return counts_D


@kernel
def _newlines(codes_C: Codes, start: int, end: int) -> int:
    count = 0
    for char in range(start, end):
        count += codes_C[char] == _NEWLINE
    return count


@kernel
def sentences_of_lines(
    codes_C: Codes,
    classes_C: Classes,
    starts_L: Indices,
    ends_L: Indices,
    documents_L: Indices,
    inside_M: Codes,
    num_documents: int,
) -> Indices:
    """[D] sentences: each line has one, and one more for each end of a sentence inside of it.

    A sentence ends inside a line at a CJK mark, or at a mark with a blank behind it and no
    small letter after that. Of a run of marks the last one counts; one at the end of its line is the
    line's own.

    Args:
        inside_M: Characters behind a CJK mark that belong to its sentence.
    """
    counts_D = np.zeros(num_documents, np.int64)
    for line in range(len(starts_L)):
        count = 1
        for char in range(starts_L[line], ends_L[line] - 2):
            if classes_C[char] & CJK_SENTENCE_MARK:
                count += not is_in(codes_C[char + 1], inside_M)
            elif classes_C[char] & SENTENCE_MARK:
                count += codes_C[char + 1] == _BLANK and classes_C[char + 2] & SMALL == 0
        counts_D[documents_L[line]] += count
    return counts_D
