"""Scripts, styles and comments cut out of a page before a parser sees it.

They are over a third of the labelled pages and none of their text. Where it cannot be told for certain without
parsing what one holds, it is left with all that follows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
_PADDING = b"\0" * 8
# Sets the bit that tells ASCII letters apart, which all marks here have: "<", "/", "!", "-", "?".
_LOWER = np.uint64(0x2020202020202020)
_COMMENT, _SCRIPT, _STYLE, _FRAME = range(4)


def _code(mark: bytes) -> tuple[np.uint64, np.uint64]:
    """The bytes of a mark as a number, and the bits that hold them."""
    bits = (1 << 8 * len(mark)) - 1
    return np.uint64(int.from_bytes(mark, "little") | 0x2020202020202020 & bits), np.uint64(bits)


_NAMES = ("", "script", "style", "iframe")
_OPENINGS = tuple(map(_code, (b"<!--", b"<script", b"<style", b"<iframe")))
_CLOSINGS = tuple(map(_code, (b"</script", b"</style", b"</iframe")))
# Elements whose inside is no markup.
_FENCES = tuple(
    map(_code, (b"</title", b"</textar", b"</iframe", b"</noembe", b"</nofram", b"</xmp"))
)
_RAW = tuple(map(_code, (b"<templat", b"<noembed", b"<noframe")))
_BODY = (_code(b"<body"),)
# By the two bytes behind "<".
_LIKELY = np.zeros(1 << 16, np.bool_)
for _code_of, _ in (*_OPENINGS, *_CLOSINGS, *_FENCES, *_RAW, *_BODY):
    _LIKELY[int(_code_of) >> 8 & 0xFFFF] = True
_AFTER_NAME = frozenset(b" \t\n\f\r/>")


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What is left of a page, and the page as it was, in UTF-8, with its scripts [(first, end)].

    Nothing was cut behind `end` of that. `is_raw_left` where elements may be left whose inside the
    parser writes as it stood.
    """

    markup: bytes
    scripts: list[tuple[int, int]]
    end: int
    is_raw_left: bool
    page: bytes


@dataclass(frozen=True, slots=True)
class _Marks:
    """Places of "<" in a page, by what follows; lists rise.

    `openings` holds place, place of the "<" before it or -1, and kind of all that might be cut.
    """

    openings: list[tuple[int, int, int]]
    comments: list[int]
    scripts: list[int]
    closings: list[list[int]]
    fences: list[int]
    bodies: list[int]
    is_raw: bool


def trim_markup(text: str) -> Trimmed:
    """Cut what is no text, where the place of its end is certain."""
    html = text.encode("utf-8", "replace")
    marks = _find_marks(html)
    parts: list[bytes] = []
    scripts: list[tuple[int, int]] = []
    end, is_raw_left = 0, marks.is_raw
    for start, before, kind in marks.openings:
        if start < end:
            continue
        last = -1
        if kind == _FRAME and not (marks.bodies and marks.bodies[0] < start):
            # In a head it makes the body begin.
            is_raw_left = True
            continue
        # Without a bracket before, it may stand in a value.
        if before < end or html.find(b">", before, start) >= 0:
            last = _end_of(html, start, kind, marks)
        if last < 0:
            # What follows may be the inside of this one.
            is_raw_left = True
            break
        if kind == _SCRIPT:
            scripts.append((start, last))
        parts.append(html[end:start])
        end = last
    parts.append(html[end:])
    return Trimmed(b"".join(parts), scripts, end, is_raw_left, html)


def _find_marks(html: bytes) -> _Marks:
    bytes_L = np.frombuffer(html + _PADDING, np.uint8)
    places = np.flatnonzero(bytes_L == ord("<"))
    words: Words = np.ndarray(len(html) + 1, "<u8", bytes_L, strides=(1,))[places] | _LOWER
    before = np.append(-1, places)
    # Few tags begin as any mark does.
    likely = np.flatnonzero(_LIKELY[(words >> np.uint64(8)).astype(np.uint16)])
    before, places, words = before[likely], places[likely], words[likely]
    kinds = np.full(len(places), -1, np.int8)
    for kind, (code, bits) in enumerate(_OPENINGS):
        kinds[words & bits == code] = kind
    chosen = np.flatnonzero(kinds >= 0)
    found = (places[chosen], before[chosen], kinds[chosen])
    return _Marks(
        list(zip(*(column.tolist() for column in found), strict=True)),
        places[kinds == _COMMENT].tolist(),
        places[kinds == _SCRIPT].tolist(),
        [places[words & bits == code].tolist() for code, bits in _CLOSINGS],
        places[_is_any(words, _FENCES)].tolist(),
        places[_is_any(words, _BODY)].tolist(),
        bool(_is_any(words, _RAW).any()),
    )


def _is_any(words: Words, codes: tuple[tuple[np.uint64, np.uint64], ...]) -> NDArray[np.bool_]:
    found = np.zeros(len(words), np.bool_)
    for code, bits in codes:
        found |= words & bits == code
    return found


def _end_of(html: bytes, start: int, kind: int, marks: _Marks) -> int:
    """Behind a comment or an element that begins here; -1 where that is uncertain."""
    if kind == _COMMENT:
        end = html.find(b"-->", start + 2) + 3
        is_plain = end >= 3 and html.find(b"--!>", start, end) < 0
        return end if is_plain and not _is_inside(start, end, marks.fences) else -1
    size = len(_NAMES[kind]) + 1
    closings = marks.closings[kind - 1]
    at = bisect_left(closings, start)
    if at == len(closings):
        return -1
    closing = closings[at]
    after = html[start + size : start + size + 1] + html[closing + size + 1 : closing + size + 2]
    if (
        len(after) < 2
        or not _AFTER_NAME.issuperset(after)
        or _is_inside(start, closing, marks.fences)
    ):
        return -1
    # Such a one in a drawing has no closing tag.
    if html[html.find(b">", start) - 1] == ord("/"):
        return -1
    # Only behind the mark of a comment a script may hold another one.
    if (
        kind == _SCRIPT
        and _is_inside(start, closing, marks.comments)
        and _is_inside(start, closing, marks.scripts)
    ):
        return -1
    return html.find(b">", closing) + 1 or -1


def _is_inside(first: int, end: int, places: list[int]) -> bool:
    """Whether one of the places is behind the first and before the end."""
    return bisect_right(places, first) < bisect_left(places, end)
