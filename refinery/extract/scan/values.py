"""Read names and values of the source: hashes, name words, numbers, what hides an element."""

from __future__ import annotations

import numpy as np

from refinery.compiled import copied_kernel, inner_kernel
from refinery.extract.scan.builder import LETTERS, SECONDS, WORD_BITS, WORD_FIRSTS, Bytes, Ints
from refinery.extract.scan.references import FNV_MASK, FNV_OFFSET, FNV_PRIME

MOST_DIGITS = 4


@copied_kernel
def lower(byte: int) -> int:
    """A byte with ASCII letters made small."""
    return byte + 32 if byte >= 65 and byte <= 90 else byte


@copied_kernel
def is_blank(byte: int) -> bool:
    """Whether a byte is a blank of HTML."""
    return byte == 32 or (byte >= 9 and byte <= 13 and byte != 11)


@inner_kernel
def hash_of(source: Bytes, first: int, end: int) -> int:
    """Hash of a value, above 0; 0 for an empty one."""
    if first == end:
        return 0
    value = FNV_OFFSET
    for i in range(first, end):
        value = (value ^ np.uint64(source[i])) * FNV_PRIME
    return int(value & FNV_MASK) | 1


@inner_kernel
def hash_small(source: Bytes, first: int, end: int) -> int:
    """Hash of a name, in small letters, as `hash_name` computes it."""
    value = FNV_OFFSET
    for i in range(first, end):
        value = (value ^ np.uint64(lower(int(source[i])))) * FNV_PRIME
    return int(value & FNV_MASK)


@inner_kernel
def find_number(table: Ints, slots: int, num_slots: int, hashes: int, value: int) -> int:
    """Number of the name with this hash in one of the tables; 0 for none."""
    slot = value & (num_slots - 1)
    while table[slots + slot] != 0:
        number = int(table[slots + slot])
        if table[hashes + number] == value:
            return number
        slot = (slot + 1) & (num_slots - 1)
    return 0


@inner_kernel
def word_bits(table: Ints, source: Bytes, first: int, end: int) -> int:
    """Bits of the name words that a value holds."""
    found = 0
    if first < 0 or first >= end:
        return 0
    behind = int(source[first])
    for i in range(first, end - 1):
        byte, behind = behind | 32, int(source[i + 1])
        # Few pairs of letters begin a word.
        if not table[SECONDS + (byte & 31)] >> (behind & 31) & 1 or byte < 97 or byte > 122:
            continue
        letter = LETTERS + (byte & 31)
        for word in range(table[letter], table[letter + 1]):
            start, stop = int(table[WORD_FIRSTS + word]), int(table[WORD_FIRSTS + word + 1])
            size = stop - start
            k = 1
            while k < size and i + k < end and int(source[i + k]) | 32 == table[start + k] | 32:
                k += 1
            if k == size:
                found |= 1 << table[WORD_BITS + word]
    return found


@inner_kernel
def number_in(source: Bytes, first: int, end: int) -> int:
    """The number that a value of up to four digits is; -1 for any other value."""
    if first == end or end - first > MOST_DIGITS:
        return -1
    number = 0
    for i in range(first, end):
        digit = int(source[i]) - 48
        if digit < 0 or digit > 9:
            return -1
        number = 10 * number + digit
    return number


@inner_kernel
def says_shape(source: Bytes, first: int, end: int) -> bool:
    """Whether a style may hide its element or keep its line ends: it says "none", "hidden" or ": pre"."""
    for i in range(first, end - 3):
        a, d = int(source[i]) | 32, int(source[i + 3]) | 32
        b, c = int(source[i + 1]) | 32, int(source[i + 2]) | 32
        if a == 110 and b == 111 and c == 110 and d == 101:
            return True
        if a == 104 and b == 105 and c == 100 and d == 100:
            return True
        if b == 112 and c == 114 and d == 101 and (a == 58 | 32 or a == 32):
            return True
    return False
