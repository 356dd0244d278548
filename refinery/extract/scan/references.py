"""Character references: `&eacute;`, `&#233;`, `&copy` without a semicolon, as the HTML standard says.

Section 13.2.5.72 and following; the names come from Python's `html.entities`.
"""

from __future__ import annotations

import numpy as np

from refinery.compiled import Filled, inner_kernel
from refinery.extract.scan.builder import (
    AT_REFERENCES,
    IS_LEGACY,
    REFERENCE_FIRSTS,
    REFERENCE_HASHES,
    REFERENCE_SLOTS,
    WINDOWS,
    Bytes,
    Ints,
)

MOST_NAME_BYTES = 40
# Names that need no semicolon have at most so many letters.
MOST_LEGACY_BYTES = 6
# FNV-1a of names; the highest bit is left out, so that a hash is a number of 64 bits with a sign.
FNV_OFFSET, FNV_PRIME = np.uint64(0x4BF29CE484222325), np.uint64(0x100000001B3)
FNV_MASK = np.uint64((1 << 63) - 1)
_AMP, _SEMICOLON, _NUMBER_SIGN, _EQUALS, _QUOTE, _LESS, _MORE = 38, 59, 35, 61, 34, 60, 62


@inner_kernel
def is_alphanumeric(byte: int) -> bool:
    """Whether a byte is an ASCII letter or digit."""
    return (
        (byte >= 97 and byte <= 122) or (byte >= 65 and byte <= 90) or (byte >= 48 and byte <= 57)
    )


@inner_kernel
def write_byte(out: Filled[Bytes], at: int, byte: int, is_value: bool) -> int:
    """Write one byte of text or of a value with the escapes of a parser; returns the next offset."""
    code = 0
    if byte == _AMP:
        code = 0x616D70  # "amp", read from its last byte
    elif byte == _LESS:
        code = 0x6C74
    elif byte == _MORE:
        code = 0x6774
    elif byte == _QUOTE and is_value:
        code = 0x71756F74
    if code == 0:
        out[at] = byte
        return at + 1
    out[at] = _AMP
    at += 1
    for shift in (24, 16, 8, 0):
        letter = (code >> shift) & 255
        if letter:
            out[at] = letter
            at += 1
    out[at] = _SEMICOLON
    return at + 1


@inner_kernel
def write_point(out: Filled[Bytes], at: int, point: int, is_value: bool) -> int:
    """Write a code point in UTF-8; returns the next offset."""
    if point < 0x80:
        return write_byte(out, at, point, is_value)
    if point < 0x800:
        out[at] = 0xC0 | point >> 6
    elif point < 0x10000:
        out[at] = 0xE0 | point >> 12
    else:
        out[at] = 0xF0 | point >> 18
        at += 1
        out[at] = 0x80 | (point >> 12) & 63
    if point >= 0x800:
        at += 1
        out[at] = 0x80 | (point >> 6) & 63
    out[at + 1] = 0x80 | point & 63
    return at + 2


@inner_kernel
def _find(table: Ints, source: Bytes, first: int, end: int) -> int:
    """Number of the name that these bytes are; 0 for none."""
    hashed = FNV_OFFSET
    for i in range(first, end):
        hashed = (hashed ^ np.uint64(source[i])) * FNV_PRIME
    value = int(hashed & FNV_MASK)
    slot = value & (REFERENCE_SLOTS - 1)
    while table[AT_REFERENCES + slot] != 0:
        number = int(table[AT_REFERENCES + slot])
        if table[REFERENCE_HASHES + number] == value:
            return number
        slot = (slot + 1) & (REFERENCE_SLOTS - 1)
    return 0


@inner_kernel
def _read_number(table: Ints, source: Bytes, first: int, end: int) -> tuple[int, int]:
    """Code point and next offset of a number behind "&#"; the offset is `first` where there is none."""
    base, i = 10, first
    if i < end and (int(source[i]) | 32) == 120:
        base = 16
        i += 1
    digits, point = i, 0
    while i < end:
        byte = int(source[i])
        digit = byte - 48
        if base == 16 and not (byte >= 48 and byte <= 57):
            letter = byte | 32
            digit = letter - 87 if letter >= 97 and letter <= 102 else 99
        if digit < 0 or digit >= base:
            break
        point = min(point * base + digit, 0x110000)
        i += 1
    if i == digits:
        return 0, first
    if i < end and source[i] == _SEMICOLON:
        i += 1
    if point >= 128 and point < 160:
        point = int(table[WINDOWS + point - 128])
    if point == 0 or point > 0x10FFFF or (point >= 0xD800 and point < 0xE000):
        point = 0xFFFD
    return point, i


@inner_kernel
def write_reference(
    table: Ints,
    source: Bytes,
    first: int,
    end: int,
    out: Filled[Bytes],
    at: int,
    is_value: bool,
) -> tuple[int, int]:
    """Write what the reference at `first`, where "&" stands, means.

    Returns the offset behind it in the source and the next one to write at. What is no reference
    gives its "&" alone.
    """
    i = first + 1
    if i < end and source[i] == _NUMBER_SIGN:
        point, behind = _read_number(table, source, i + 1, end)
        if behind > i + 1:
            return behind, write_point(out, at, point, is_value)
        return first + 1, write_byte(out, at, _AMP, is_value)
    while i < end and i - first <= MOST_NAME_BYTES and is_alphanumeric(int(source[i])):
        i += 1
    number, behind = 0, i
    if i < end and source[i] == _SEMICOLON and i > first + 1:
        number, behind = _find(table, source, first + 1, i), i + 1
    if number == 0:
        behind = min(i, first + 1 + MOST_LEGACY_BYTES)
        while behind > first + 2:
            number = _find(table, source, first + 1, behind)
            if number != 0 and table[IS_LEGACY + number] != 0:
                break
            number = 0
            behind -= 1
        # In a value `&copy=1` and `&copyx` are parts of an address.
        if (
            number != 0
            and is_value
            and behind < end
            and (source[behind] == _EQUALS or is_alphanumeric(int(source[behind])))
        ):
            number = 0
    if number == 0:
        return first + 1, write_byte(out, at, _AMP, is_value)
    for k in range(table[REFERENCE_FIRSTS + number], table[REFERENCE_FIRSTS + number + 1]):
        at = write_byte(out, at, int(table[k]), is_value)
    return behind, at
