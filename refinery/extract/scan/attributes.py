"""What the attributes of tags call for: a look for hidden parts, formulas, names of images.

They are read from the markup that the scan wrote, where every value is quoted. A page without any of them
costs no search.
Shapes: U bytes of the markup in UTF-8, T tags.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, bare_kernel, inner_kernel

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]

# Bits of a tag: `hidden`, or a style that hides; `aria-hidden` that is true; the name, class or data of a
# formula; a style that keeps line ends; an image that may stand for a letter, a sticker or a formula.
IS_HIDDEN, IS_ARIA_HIDDEN, MAY_BE_FORMULA, KEEPS_LINES, MAY_SPEAK = 1, 2, 4, 8, 16

_SPACE, _QUOTE, _SLASH, _COLON, _EQUALS = 32, 34, 47, 58, 61
_DASH, _BACKSLASH, _CARET, _UNDERSCORE, _BRACE = 45, 92, 94, 95, 123
_A, _D, _K, _M, _U, _V, _W, _Z = 97, 100, 107, 109, 117, 118, 119, 122
# Words of ASCII are below.
_POSITIVE = np.uint64((1 << 63) - 1)


def _word_of(name: bytes) -> int:
    """Up to eight bytes as one number, the first one lowest."""
    return int.from_bytes(name, "little")


_STYLE, _HIDDEN, _CLASS, _DATA_TEX, _DATA_LATEX, _ARIA_HIDDEN, _TRUE = map(
    _word_of, (b"style", b"hidden", b"class", b"data-tex", b"data-lat", b"aria-hid", b"true")
)
_ALT, _TITLE, _DATA, _IMG = map(_word_of, (b"alt", b"title", b"data-", b"img"))
_MATH, _MJX, _KATEX, _MATHJAX, _MWE_MATH = map(
    _word_of, (b"math", b"mjx-", b"katex", b"mathjax", b"mwe-math")
)
_DISPLAY, _NONE, _VISIBILITY = map(_word_of, (b"display", b"none", b"visibili"))
_WHITE_SPACE, _PRE, _BREAK_SPACES = map(_word_of, (b"white-sp", b"pre", b"break-sp"))
_UNTIL_FOUND = _word_of(b"until-fo")
# Beginnings of the words that addresses, classes and names of formulas, emoji and stickers have somewhere
# (`formulas.py` and `inline.py` know them); a word too many costs a look.
_SIGNS = tuple(
    map(
        _word_of,
        (b"math", b"equa", b"cht=", b"emoj", b"emot", b"expr", b"smil", b"stic", b"biao", b"bbfa"),
    )
)
_TEX, _FORM, _FACE, _EQ = map(_word_of, (b"tex", b"form", b"face", b"eq"))
# First bytes of UTF-8 of which nearly all characters are Han: those are letters of a name.
_HAN_FIRST, _HAN_LAST, _HEXAGRAMS, _HEXAGRAM = 0xE4, 0xE9, 0xE4, 0xB7


@inner_kernel
def _word(markup: Bytes, first: int, size: int) -> int:
    """Up to eight bytes in small letters as one number; 0 where there are fewer."""
    if first + size > len(markup):
        return 0
    word = np.uint64(0)
    for i in range(size):
        byte = np.uint64(markup[first + i])
        if byte >= 65 and byte <= 90:
            byte += np.uint64(32)
        word |= byte << np.uint64(8 * i)
    return int(word & _POSITIVE)


@inner_kernel
def _names_formula(markup: Bytes, first: int, end: int) -> bool:
    """Whether a class holds one of the words that libraries mark formulas by."""
    for i in range(first, end - 4):
        letter = int(markup[i]) | 32
        if letter == _K and _word(markup, i, 5) == _KATEX:
            return True
        is_m = letter == _M
        if is_m and (_word(markup, i, 7) == _MATHJAX or _word(markup, i, 8) == _MWE_MATH):
            return True
    return False


@inner_kernel
def _is_style_blank(byte: int) -> bool:
    return byte == _SPACE or (byte >= 9 and byte <= 13)


@inner_kernel
def _style_value(markup: Bytes, at: int, end: int) -> int:
    """Offset of the value behind the name of a property, which ends here; -1 where no colon follows."""
    while at < end and _is_style_blank(int(markup[at])):
        at += 1
    if at >= end or markup[at] != _COLON:
        return -1
    at += 1
    while at < end and _is_style_blank(int(markup[at])):
        at += 1
    return at


@inner_kernel
def _bits_of_style(markup: Bytes, first: int, end: int) -> int:
    """Whether a style says `display: none`, `visibility: hidden`, `white-space: pre` or one of its kin."""
    bits = 0
    for i in range(first, end - 7):
        letter = int(markup[i]) | 32
        if letter == _D and _word(markup, i, 7) == _DISPLAY:
            value = _style_value(markup, i + 7, end)
            if value >= 0 and _word(markup, value, 4) == _NONE:
                bits |= IS_HIDDEN
        elif letter == _V and _word(markup, i, 8) == _VISIBILITY:
            value = _style_value(markup, i + 10, end)
            if value >= 0 and _word(markup, value, 6) == _HIDDEN:
                bits |= IS_HIDDEN
        elif letter == _W and _word(markup, i, 8) == _WHITE_SPACE:
            value = _style_value(markup, i + 11, end)
            is_pre = value >= 0 and _word(markup, value, 3) == _PRE
            if is_pre or (value >= 0 and _word(markup, value, 8) == _BREAK_SPACES):
                bits |= KEEPS_LINES
    return bits


@inner_kernel
def _has_sign(markup: Bytes, first: int, end: int) -> bool:
    """Whether a value of an image holds a word of a formula, an emoji or a sticker."""
    if _word(markup, first, 2) == _EQ:
        return True
    for i in range(first, end - 1):
        byte = int(markup[i])
        if byte == _BACKSLASH:
            return True
        if byte == _CARET or byte == _UNDERSCORE:
            if markup[i + 1] == _BRACE:
                return True
            continue
        letter = byte | 32
        if letter < _A or letter > _Z:
            continue
        word = _word(markup, i, 4)
        for sign in _SIGNS:
            if word == sign:
                return True
        if word & 0xFFFFFF == _TEX:
            return True
        behind = int(markup[i + 4]) if i + 4 < end else 0
        if word == _FORM and behind | 32 == _U:
            return True
        if word == _FACE and (behind == _DASH or behind == _UNDERSCORE or behind == _SLASH):
            return True
    return end > first and markup[end - 1] == _BACKSLASH


@inner_kernel
def _is_odd_name(markup: Bytes, first: int, end: int) -> bool:
    """Whether the name of an image is one letter, or begins with none: a sticker's code, perhaps."""
    while first < end and markup[first] <= _SPACE:
        first += 1
    if first == end:
        return False
    byte = int(markup[first])
    size = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
    if end - first == size:
        return True
    if byte < 0x80:
        letter = byte | 32
        return not (letter >= _A and letter <= _Z) and not (byte >= 48 and byte <= 57)
    if byte < _HAN_FIRST or byte > _HAN_LAST:
        return True
    return byte == _HEXAGRAMS and markup[first + 1] == _HEXAGRAM


@inner_kernel
def _bits_of_image(markup: Bytes, name: int, size: int, value: int, end: int) -> int:
    """Whether an attribute of an image may make it speak."""
    if _has_sign(markup, value, end) or (size > 5 and _word(markup, name, 5) == _DATA):
        return MAY_SPEAK
    is_name = size == 3 and _word(markup, name, 3) == _ALT
    is_name = is_name or (size == 5 and _word(markup, name, 5) == _TITLE)
    return MAY_SPEAK if is_name and _is_odd_name(markup, value, end) else 0


@inner_kernel
def _bits_of(markup: Bytes, name: int, size: int, value: int, end: int) -> int:
    """What an attribute calls for, from the offsets of its name and of its value."""
    word = _word(markup, name, min(size, 8))
    if size == 5 and word == _STYLE:
        return _bits_of_style(markup, value, end)
    if size == 6 and word == _HIDDEN:
        is_found = _word(markup, value, 8) == _UNTIL_FOUND and end - value >= 8
        return 0 if is_found else IS_HIDDEN
    if size == 5 and word == _CLASS:
        return MAY_BE_FORMULA if _names_formula(markup, value, end) else 0
    if size == 11 and word == _ARIA_HIDDEN:
        return IS_ARIA_HIDDEN if end - value == 4 and _word(markup, value, 4) == _TRUE else 0
    if (size == 8 and word == _DATA_TEX) or (size == 10 and word == _DATA_LATEX):
        return MAY_BE_FORMULA
    return 0


@inner_kernel
def _read_attributes(markup: Bytes, at: int, end: int, is_image: bool) -> int:
    """The bits of the attributes between the name of a tag and its ">"."""
    bits = 0
    while at < end:
        while at < end and markup[at] != _SPACE:
            at += 1
        at += 1
        name = at
        while at < end and markup[at] != _EQUALS and markup[at] != _SPACE:
            at += 1
        if at + 1 < end and markup[at] == _EQUALS and markup[at + 1] == _QUOTE:
            size, value = at - name, at + 2
            at = value
            while at < end and markup[at] != _QUOTE:
                at += 1
            bits |= _bits_of(markup, name, size, value, at)
            if is_image:
                bits |= _bits_of_image(markup, name, size, value, at)
    return bits


@bare_kernel
def note_attributes(
    markup_U: Bytes, firsts_T: Ints, lasts_T: Ints, is_opening_T: Bools, bits_T: Filled[Ints]
) -> None:
    """Fill the bits of all tags; closing ones have none."""
    for tag in range(len(bits_T)):
        bits_T[tag] = 0
        if is_opening_T[tag]:
            first, end = int(firsts_T[tag]) + 1, min(int(lasts_T[tag]), len(markup_U))
            word = _word(markup_U, first, 4)
            bits = MAY_BE_FORMULA if word == _MATH or word == _MJX else 0
            is_image = word == _IMG | _SPACE << 24
            bits_T[tag] = bits | _read_attributes(markup_U, first, end, is_image)
