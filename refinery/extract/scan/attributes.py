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

# Bits of a tag: it has a style that was kept, or `hidden`; `aria-hidden` that is true; the name, class or data of a formula.
HAS_STYLE, IS_ARIA_HIDDEN, MAY_BE_FORMULA = 1, 2, 4

_SPACE, _QUOTE, _EQUALS = 32, 34, 61
# Up to eight bytes as one number, the first one lowest.
_STYLE, _HIDDEN, _CLASS, _DATA_TEX, _DATA_LATEX, _ARIA_HIDDEN, _TRUE = (
    int.from_bytes(name, "little")
    for name in (b"style", b"hidden", b"class", b"data-tex", b"data-lat", b"aria-hid", b"true")
)
_MATH, _MJX, _KATEX, _MATHJAX, _MWE_MATH = (
    int.from_bytes(name, "little") for name in (b"math", b"mjx-", b"katex", b"mathjax", b"mwe-math")
)
_K, _M = 107, 109
# Words of ASCII are below.
_POSITIVE = np.uint64((1 << 63) - 1)


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
def _bits_of(markup: Bytes, name: int, size: int, value: int, end: int) -> int:
    """What an attribute calls for, from the offsets of its name and of its value."""
    word = _word(markup, name, min(size, 8))
    if (size == 5 and word == _STYLE) or (size == 6 and word == _HIDDEN):
        return HAS_STYLE
    if size == 5 and word == _CLASS:
        return MAY_BE_FORMULA if _names_formula(markup, value, end) else 0
    if size == 11 and word == _ARIA_HIDDEN:
        return IS_ARIA_HIDDEN if end - value == 4 and _word(markup, value, 4) == _TRUE else 0
    if (size == 8 and word == _DATA_TEX) or (size == 10 and word == _DATA_LATEX):
        return MAY_BE_FORMULA
    return 0


@inner_kernel
def _read_attributes(markup: Bytes, at: int, end: int) -> int:
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
            bits_T[tag] = bits | _read_attributes(markup_U, first, end)
