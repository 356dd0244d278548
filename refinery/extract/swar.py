"""Arithmetic on eight bytes at a time, as one 64-bit word (SWAR: SIMD within a register).

numpy has no search for "the first of these bytes behind each offset"; on words it takes a few whole
operations. docs/extraction_scan.md explains the scan that is built from these functions.
Shapes: L bytes, K words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

WORD_BYTES = 8
ONES = np.uint64(0x0101010101010101)  # 1 in each byte
HIGHS = np.uint64(0x8080808080808080)  # the high bit of each byte
SPACE = 0x20
# LOW_BYTES[n] has all bits of the n lowest bytes.
LOW_BYTES = np.array([(1 << 8 * num) - 1 for num in range(WORD_BYTES + 1)], np.uint64)


def overlapping_words(bytes_L: NDArray[np.uint8]) -> Words:
    """The word that begins at each byte [L - 7]: word i holds bytes i to i + 7, the first lowest.

    A view, nothing is copied: its items are eight bytes wide and one byte apart. Whoever wants a
    word at each of K bytes of a text pads the text with seven bytes or more.
    """
    return np.ndarray(len(bytes_L) - WORD_BYTES + 1, "<u8", bytes_L, strides=(1,))


def flag_zero_bytes(words: Words) -> Words:
    """Set the high bit of the zero bytes of each word; only the lowest flag of a word is exact.

    Subtracting 1 sets a byte's high bit where the byte was 0, which borrows from the byte above, or
    was above 0x80, which `~words` rules out. The borrow is why a byte above a zero byte may be
    flagged although it is 0x01. Below the lowest zero byte nothing borrows: no flag there is false,
    and a word without a zero byte has no flag at all.

    Source: Mycroft 1987; Warren, Hacker's Delight, section 6-1.
    """
    return (words - ONES) & ~words & HIGHS


def flag_bytes(words: Words, *values: int) -> Words:
    """Flag the bytes that equal one of the values; only the lowest flag of a word is exact.

    An exclusive or with the value makes equal bytes, and those only, zero. The lowest flag of
    several values is the lowest of their lowest flags, so it is exact, too.
    """
    flags = np.zeros(len(words), np.uint64)
    for value in values:
        flags |= flag_zero_bytes(words ^ (ONES * np.uint64(value)))
    return flags


def keep_below_flags(words: Words, flags: Words) -> Words:
    """Clear the lowest flagged byte of each word and all above it; a word without a flag stays.

    `flags & -flags` is the lowest flag alone, bit 7 of its byte. Moved to bit 0 of the byte, less 1,
    it is a mask of all bytes below; without a flag it is 0 - 1, a mask of all bytes.
    """
    lowest = flags & (~flags + np.uint64(1))
    return words & ((lowest >> np.uint64(7)) - np.uint64(1))


def flag_above_space(words: Words) -> Words:
    """Flags of which a word has any if, and only if, one of its bytes is above a space (0x20).

    Adding 95 to each byte lifts 0x21 to 0x7F beyond the high bit; bytes from 0x80 on have it already.
    A sum that overflows carries into the byte above and may flag that one by mistake, but only a
    byte above a space overflows: the word deserves a flag anyhow.
    """
    return ((words + ONES * np.uint64(0x7F - SPACE)) | words) & HIGHS
