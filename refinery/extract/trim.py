"""Cut scripts, styles and comments out of a page before a parser sees it.

They are over a third of the labelled pages and none of their text. Where the end of one cannot be
told for certain without parsing, it is left to the parser, with all that follows.
Shapes: L bytes of the padded page, K of them that begin a tag of interest.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.extract.swar import WORD_BYTES, Words, overlapping_words

_PADDING = b"\0" * WORD_BYTES
# Setting bit 5 makes ASCII letters small. All other characters of the marks have it anyway.
_LOWER = np.uint64(0x2020202020202020)
_COMMENT, _SCRIPT, _STYLE, _FRAME = range(4)

# The first bytes of a mark as a number, and the bits of a word that hold them.
Mark = tuple[np.uint64, np.uint64]


def _mark(text: bytes) -> Mark:
    bits = (1 << 8 * len(text)) - 1
    return np.uint64(int.from_bytes(text, "little") | 0x2020202020202020 & bits), np.uint64(bits)


# What is cut, by kind, and the name of each element; a mark is eight bytes at most.
_NAMES = ("", "script", "style", "iframe")
_OPENINGS = tuple(map(_mark, (b"<!--", b"<script", b"<style", b"<iframe")))
_CLOSINGS = tuple(map(_mark, (b"</script", b"</style", b"</iframe")))
# Closing tags of elements whose inside is no markup: what looks like a script there may be text.
_FENCES = tuple(
    map(_mark, (b"</title", b"</textar", b"</iframe", b"</noembe", b"</nofram", b"</xmp"))
)
_RAW = tuple(map(_mark, (b"<templat", b"<noembed", b"<noframe")))
_BODY = (_mark(b"<body"),)
# Whether any mark has these two bytes behind "<": few tags have, and the rest is looked at no more.
_IS_LIKELY = np.zeros(1 << 16, np.bool_)
for _code, _ in (*_OPENINGS, *_CLOSINGS, *_FENCES, *_RAW, *_BODY):
    _IS_LIKELY[int(_code) >> 8 & 0xFFFF] = True
_BEHIND_NAME = frozenset(b" \t\n\f\r/>")


@dataclass(frozen=True, slots=True)
class Trimmed:
    """A page without what was cut from it.

    Attributes:
        markup: What is left, in UTF-8.
        scripts: First and end offset in `page` of the scripts that were cut.
        end: Offset in `page` behind which nothing was cut.
        is_raw_left: Whether elements may be left whose inside the parser writes without escapes.
        page: The whole page in UTF-8.
    """

    markup: bytes
    scripts: list[tuple[int, int]]
    end: int
    is_raw_left: bool
    page: bytes


@dataclass(frozen=True, slots=True)
class _Marks:
    """Offsets of "<" in a page by what follows, in rising order.

    Attributes:
        openings: Offset, offset of the "<" before it or -1, and kind of all that might be cut.
        comments, scripts: Offsets of their beginnings.
        closings: Offsets of closing tags of scripts, styles and frames, in this order.
        fences, bodies: Offsets of closing tags in `_FENCES`, and of "<body".
        is_raw: Whether an element of `_RAW` begins anywhere.
    """

    openings: list[tuple[int, int, int]]
    comments: list[int]
    scripts: list[int]
    closings: list[list[int]]
    fences: list[int]
    bodies: list[int]
    is_raw: bool


def trim_markup(text: str) -> Trimmed:
    """Cut scripts, styles, comments and frames, where it is certain at which offset they end."""
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
            # A frame before <body> ends the head, as parsers do it: what follows is the body.
            is_raw_left = True
            continue
        # With no ">" since the "<" before, this "<" may stand in the value of an attribute.
        if before < end or html.find(b">", before, start) >= 0:
            last = _end_of(html, start, kind, marks)
        if last < 0:
            # Where this one does not end for certain, all that follows may be its inside.
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
    offsets = np.flatnonzero(bytes_L == ord("<"))
    words = overlapping_words(bytes_L)[offsets] | _LOWER
    before = np.append(-1, offsets)
    likely = np.flatnonzero(_IS_LIKELY[(words >> np.uint64(8)).astype(np.uint16)])
    before, offsets, words = before[likely], offsets[likely], words[likely]
    kinds = np.full(len(offsets), -1, np.int8)
    for kind, (code, bits) in enumerate(_OPENINGS):
        kinds[words & bits == code] = kind
    cuttable = np.flatnonzero(kinds >= 0)
    columns = offsets[cuttable], before[cuttable], kinds[cuttable]
    return _Marks(
        openings=list(zip(*(column.tolist() for column in columns), strict=True)),
        comments=offsets[kinds == _COMMENT].tolist(),
        scripts=offsets[kinds == _SCRIPT].tolist(),
        closings=[offsets[words & bits == code].tolist() for code, bits in _CLOSINGS],
        fences=offsets[_begin_with(words, _FENCES)].tolist(),
        bodies=offsets[_begin_with(words, _BODY)].tolist(),
        is_raw=bool(_begin_with(words, _RAW).any()),
    )


def _begin_with(words: Words, marks: tuple[Mark, ...]) -> NDArray[np.bool_]:
    """Whether each word [K] begins with any of the marks."""
    hits = np.zeros(len(words), np.bool_)
    for code, bits in marks:
        hits |= words & bits == code
    return hits


def _end_of(html: bytes, start: int, kind: int, marks: _Marks) -> int:
    """Offset behind a comment or an element that begins here; -1 where that is uncertain."""
    if kind == _COMMENT:
        end = html.find(b"-->", start + 2) + 3
        is_plain = end >= 3 and html.find(b"--!>", start, end) < 0
        return end if is_plain and not _is_inside(start, end, marks.fences) else -1
    size = len(_NAMES[kind]) + 1
    closings = marks.closings[kind - 1]
    index = bisect_left(closings, start)
    if index == len(closings):
        return -1
    closing = closings[index]
    behind = html[start + size : start + size + 1] + html[closing + size + 1 : closing + size + 2]
    # A longer name begins alike (<scripture>); a fence between makes the opening tag a piece of text.
    is_named = len(behind) == 2 and _BEHIND_NAME.issuperset(behind)
    if not is_named or _is_inside(start, closing, marks.fences):
        return -1
    # In a drawing (SVG) an element that ends with "/>" has no closing tag.
    if html[html.find(b">", start) - 1] == ord("/"):
        return -1
    # Behind the mark of a comment a script may hold another script, and ends behind that one.
    if (
        kind == _SCRIPT
        and _is_inside(start, closing, marks.comments)
        and _is_inside(start, closing, marks.scripts)
    ):
        return -1
    return html.find(b">", closing) + 1 or -1


def _is_inside(first: int, end: int, offsets: list[int]) -> bool:
    """Whether one of the offsets, which rise, is behind the first and before the end."""
    return bisect_right(offsets, first) < bisect_left(offsets, end)
