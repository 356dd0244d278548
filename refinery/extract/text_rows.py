"""The features of a block's own text: its characters by kind, and what share each kind has.

Shapes: U bytes of all texts in UTF-8, N blocks, F features.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, Matrix, bare_kernel, inner_kernel
from refinery.extract.feature_rows import TextRow
from refinery.extract.page_arrays import Floats, Ints, PageArrays

Bytes = NDArray[np.uint8]
Fields = NDArray[np.uint64]

_UPPER, _DIGIT, _STOP, _COMMA, _SPACE, _WIDE, _SYMBOL = range(7)
_NUM_KINDS = 7
# Columns of the counts behind those of the kinds: all characters, and what kinds the first and the last are of.
CHARS, _FIRST, _LAST = 7, 8, 9
NUM_COUNTS = 10
# Columns of what Python compares: with the title, the description, and all other blocks.
TITLE_MATCH, SAID_MATCH, NUM_EQUAL = range(3)
# One number counts all kinds at once, each in a field that a stretch of characters cannot overflow.
_FIELD_BITS, _STRETCH = 9, 256
_FIELD = np.uint64((1 << _FIELD_BITS) - 1)
_TABLE_SIZE = 1 << 16

(_LOG_CHARS, _LOG_WORDS, _LINKED_FRACTION, _NUM_LINKS, _NUM_STOPS, _COMMAS_PER_WORD, _STOPS_PER_WORD,
 _WIDE_FRACTION, _UPPER_FRACTION, _DIGIT_FRACTION, _SYMBOL_FRACTION, _CHARS_PER_WORD, _ENDS_WITH_STOP,
 _BEGINS_WITH_UPPER, _BEGINS_WITH_DIGIT, _BEGINS_WITH_SYMBOL, _BOLD_FRACTION, _NUM_BREAKS, _TITLE_MATCH,
 _SAID_MATCH, _NUM_EQUAL_BLOCKS, _NUM_IMAGES, _NUM_CONTROLS) = map(int, TextRow)  # fmt: skip


@functools.cache
def kinds_of_characters() -> Bytes:
    """Bits of the kinds that a character of the basic plane is of, by code point."""
    table = np.zeros(_TABLE_SIZE, np.uint8)
    table[ord("A") : ord("Z") + 1] |= 1 << _UPPER
    table[ord("0") : ord("9") + 1] |= 1 << _DIGIT
    table[[ord(c) for c in ".!?。！？…؟।"]] |= 1 << _STOP
    table[[ord(c) for c in ",;:，；：、،"]] |= 1 << _COMMA
    table[[ord(c) for c in " \n\t\u3000\xa0"]] |= 1 << _SPACE
    for first, last in ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3)):
        table[first : last + 1] |= 1 << _WIDE
    table[[ord(c) for c in "|»«›‹·•©®™/\\#@$€£¥%+=<>_{}[]()*→←↑↓▶►★☆✓"]] |= 1 << _SYMBOL
    return table


@functools.cache
def fields_of_kinds() -> Fields:
    """[128] what a character of these kinds adds to the number that counts all of them."""
    kinds = np.arange(1 << _NUM_KINDS)[:, None]
    numbers = np.arange(_NUM_KINDS)
    fields: Fields = (((kinds >> numbers) & 1) << (_FIELD_BITS * numbers)).sum(1).astype(np.uint64)
    return fields


@inner_kernel
def _read_point(text: Bytes, at: int) -> tuple[int, int]:
    """The code point of several bytes that begins here, and the offset behind it."""
    lead = int(text[at])
    size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    point = lead & (0xFF >> (size + 1))
    end = min(at + size, len(text))
    for i in range(at + 1, end):
        point = point << 6 | int(text[i]) & 63
    return point, end


@inner_kernel
def _kinds_at(text: Bytes, at: int, kinds: Bytes) -> tuple[int, int]:
    """What kinds the character that begins here is of, and the offset behind it."""
    if at >= len(text):
        return 0, at
    point, end = int(text[at]), at + 1
    if point >= 0x80:
        point, end = _read_point(text, at)
    return int(kinds[min(point, _TABLE_SIZE - 1)]), end


@bare_kernel
def count_characters(
    text_U: Bytes, bounds_N2: Matrix[Ints], kinds: Bytes, fields: Fields,
    counts_NC: Matrix[Filled[Ints]],
) -> None:  # fmt: skip
    """Count the characters of texts that stand between these offsets, by kind."""
    for n in range(len(counts_NC)):
        counts, at, end = counts_NC[n], int(bounds_N2[n, 0]), int(bounds_N2[n, 1])
        counts[_FIRST] = kind = _kinds_at(text_U, at, kinds)[0]
        for number in range(_NUM_KINDS):
            counts[number] = 0
        counts[CHARS] = 0
        while at < end:
            stretch, packed = 0, np.uint64(0)
            while at < end and stretch < _STRETCH:
                kind, at = _kinds_at(text_U, at, kinds)
                packed += fields[kind]
                stretch += 1
            for number in range(_NUM_KINDS):
                counts[number] += int(packed >> np.uint64(_FIELD_BITS * number) & _FIELD)
            counts[CHARS] += stretch
        counts[_LAST] = kind


@bare_kernel
def write_texts(
    page: PageArrays, counts_NC: Matrix[Ints], matches_N3: Matrix[Floats],
    words_N: Filled[Floats], rows_NF: Matrix[Filled[Floats]],
) -> None:  # fmt: skip
    """Fill what `TextRow` names, and the words of each block; a wide (CJK) character is a word."""
    one = np.float32(1)
    for n in range(len(rows_NF)):
        row, counts = rows_NF[n], counts_NC[n]
        chars, stops = np.float32(counts[CHARS]), np.float32(counts[_STOP])
        wide = np.float32(counts[_WIDE])
        words = np.float32(counts[_SPACE]) + one + wide
        words_N[n] = words
        row[_LOG_CHARS], row[_LOG_WORDS] = np.log1p(chars), np.log1p(words)
        row[_LINKED_FRACTION] = min(np.float32(page.link_chars[n]), chars) / chars
        row[_NUM_LINKS], row[_NUM_STOPS] = page.num_links[n], stops
        row[_COMMAS_PER_WORD] = np.float32(counts[_COMMA]) / words
        row[_STOPS_PER_WORD] = stops / words
        row[_WIDE_FRACTION] = wide / chars
        row[_UPPER_FRACTION] = np.float32(counts[_UPPER]) / chars
        row[_DIGIT_FRACTION] = np.float32(counts[_DIGIT]) / chars
        row[_SYMBOL_FRACTION] = np.float32(counts[_SYMBOL]) / chars
        row[_CHARS_PER_WORD] = chars / words
        row[_ENDS_WITH_STOP] = counts[_LAST] >> _STOP & 1
        row[_BEGINS_WITH_UPPER] = counts[_FIRST] >> _UPPER & 1
        row[_BEGINS_WITH_DIGIT] = counts[_FIRST] >> _DIGIT & 1
        row[_BEGINS_WITH_SYMBOL] = counts[_FIRST] >> _SYMBOL & 1
        row[_BOLD_FRACTION] = min(np.float32(page.bold_chars[n]) / chars, one)
        row[_NUM_BREAKS] = page.num_breaks[n]
        row[_TITLE_MATCH] = matches_N3[n, TITLE_MATCH]
        row[_SAID_MATCH] = matches_N3[n, SAID_MATCH]
        row[_NUM_EQUAL_BLOCKS] = matches_N3[n, NUM_EQUAL]
        row[_NUM_IMAGES], row[_NUM_CONTROLS] = page.num_images[n], page.num_controls[n]
