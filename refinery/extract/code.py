"""Code as it stands on the screen: its lines and their indentation, without what stands beside them.

Pages write code in <pre>, but the lines inside it may be blocks, list items, rows of a table, or elements
that a style sheet parts; some have no <pre> at all. All of them become one block. Numbers of lines and
buttons to copy it are no code.
Shapes: U bytes of the markup, T tags, opening and closing ones, in order; C some of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, bare_kernel
from refinery.extract.inline import plain_text
from refinery.extract.scan.names import hash_name, number_of
from refinery.extract.signs import Signs
from refinery.extract.tag_kinds import HEADING_IDS, TAG_IDS, TAGS, Kind
from refinery.extract.tags import Tags

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

_BREAK, _INLINE_KIND, _BLOCK, _VOID = (
    int(kind) for kind in (Kind.BREAK, Kind.INLINE, Kind.BLOCK, Kind.VOID)
)
_SKIP = int(Kind.SKIP)
_NEW_LINE, _LESS, _B, _R = 10, 60, 98, 114
_PRE, _ITEM, _CELLS = TAG_IDS["pre"], TAG_IDS["li"], (TAG_IDS["td"], TAG_IDS["th"])
_CODE, _BUTTON = number_of("code"), number_of("button")
# By kind of a tag, and by tag: what may stand inside code of a line, and what is a heading.
_IS_INLINE = np.zeros(len(Kind), np.bool_)
_IS_INLINE[[Kind.INLINE, Kind.BOLD, Kind.LINK, Kind.CLOSING, Kind.BREAK, Kind.IMAGE]] = True
_IS_HEADING = np.zeros(len(TAGS), np.bool_)
_IS_HEADING[list(HEADING_IDS)] = True
# So many line ends inside <code> are no chance of how the source was wrapped.
_CODE_LINE_ENDS = 2
_MOST_READINGS = 4
# More code elements than this are no page for readers.
_MOST_ELEMENTS = 5_000
_CONTAINER = re.compile(
    r' class="(?:[^"]* )?(?:syntaxhighlighter|js-file-line-container|fragment|crayon-pre)[ "]'
)
_LINE = re.compile(
    r' class="(?:[^"]* )?(?:line|cl|(?:code|token|view|crayon|ec|CodeMirror)-line)[ "]'
)
_HOLDS_LINES = re.compile(r'class="(?:line|blob-code|crayon-line)')
_GUTTER = re.compile(
    r' class="[^"]*(?<![a-z])(?:line-?no|line-?num|gutter|pre-numbering|blob-num|crayon-num|ln-num|hljs-ln-n)'
)
_MARKUP = re.compile(r"<[^>]*>")
_LINE_BREAK = re.compile(r"<(?:br|/?(?:div|li|p|tr|pre))\b[^>]*>")
# Names of numbers that are too short to look for, as Chroma writes them; the hashes are the scan's.
_GUTTER_CLASSES = (hash_name("ln") | 1, hash_name("lnt") | 1)
# A column of numbers without a name stands directly before what it numbers: fewer tags are between them.
_BESIDE_TAGS = 10
_COPIES = re.compile(
    r"(?i)(?:copy|copied!?|copy (?:code|to clipboard)|复制(?:代码)?|複製(?:程式碼)?|コピー(?:する)?|복사)"
)
_COPY_NAME = re.compile(r'(?i)<button|="[^"]*(?:copy|btn|button|clipboard)')
_COPY_MARKUP_BYTES = 300
# Three bytes of the words for it: "cop" in small letters, 复, 複, コ, 복.
_COP = int.from_bytes(b"cop", "big")
_COPY_SIGNS = tuple(int.from_bytes(word.encode(), "big") for word in "复複コ복")


@dataclass
class Code:
    """What is known of the code of a page.

    Attributes:
        texts: Line ends, by index of the tag that they stand at.
        left_out: Opening tags of the elements that are no code, and no text.
        blanks: Tags behind which blanks are only layout of the source.
    """

    texts: dict[int, str] = field(default_factory=dict)
    left_out: list[int] = field(default_factory=list)
    blanks: list[int] = field(default_factory=list)


def read_code(tags: Tags, kinds: Ints, tag_ids: Ints, signs: Signs) -> Code:
    """Find the code of a page; `kinds` and `tag_ids` [T] are set so that each piece of it is one block."""
    code = Code()
    elements = _elements(tags, kinds, tag_ids, signs)
    if not elements:
        return code
    named = signs.find_named(_GUTTER, "line", "gutter", "num")
    named += np.flatnonzero(_is_gutter(tags.classes) & tags.is_opening).tolist()
    code.left_out = [tag for tag in sorted(set(named)) if _counts(tags, tag, least=0)]
    gutters = tags.covered(np.array(code.left_out, np.int64))
    buttons = np.array(_copy_buttons(tags, signs), np.int64)
    lines = np.array(signs.find_named(_LINE, "line"), np.int64)
    end = -1
    for tag, behind in zip(elements, [*elements[1:], len(kinds) + _BESIDE_TAGS], strict=True):
        closing = int(tags.closings[tag])
        if tag < end or gutters[tag]:
            continue
        is_beside = behind - closing < _BESIDE_TAGS
        if tag_ids[tag] == _PRE and is_beside and _counts(tags, tag, least=2):
            code.left_out.append(tag)
            continue
        end = closing
        inner = kinds[tag + 1 : closing] == _BLOCK
        if _IS_HEADING[tag_ids[tag + 1 : closing][inner]].any():
            continue
        kinds[tag], tag_ids[tag] = _BLOCK, _PRE
        code.left_out += _between(buttons, tag, closing)
        _Layout(tags, kinds, tag_ids, code).write(tag, _between(lines, tag, closing))
    return code


def _is_gutter(classes: Ints) -> Bools:
    first, second = _GUTTER_CLASSES
    is_gutter: Bools = (classes == first) | (classes == second)
    return is_gutter


def _between(rising: Ints, first: int, end: int) -> list[int]:
    """Those of some tags that stand inside an element."""
    found: list[int] = rising[
        np.searchsorted(rising, first, "right") : np.searchsorted(rising, end)
    ].tolist()
    return found


def _elements(tags: Tags, kinds: Ints, tag_ids: Ints, signs: Signs) -> list[int]:
    """Opening tags of what may be code, in order."""
    is_pre = (tag_ids == _PRE) & (kinds == _BLOCK)
    found: list[int] = np.flatnonzero(is_pre).tolist()
    end = -1
    for tag in signs.find_named(_CONTAINER, "file-line", "syntaxhighlighter", "fragment", "crayon"):
        if tag < end or kinds[tag] == _SKIP:
            continue
        end = int(tags.closings[tag])
        # Slides have fragments, too.
        if _HOLDS_LINES.search(tags.inside_of(tag)):
            found.append(tag)
    codes = tags.named(_CODE)
    codes = codes[kinds[codes] == _INLINE_KIND][:_MOST_ELEMENTS]
    found += [tag for tag in may_have_lines(tags, codes) if _has_lines(tags, kinds, tag)]
    return sorted(set(found))[:_MOST_ELEMENTS]


@bare_kernel
def find_broken(
    markup_U: Bytes, firsts_C: Ints, ends_C: Ints, num_least: int, is_broken_C: Filled[Bools]
) -> None:
    """Tell which pieces of markup hold at least so many line ends, or "<br".

    Pieces may lie in each other: beyond a few times the markup, the rest is said to hold them unread.
    """
    left = _MOST_READINGS * len(markup_U)
    for n in range(len(firsts_C)):
        first, end = int(firsts_C[n]), int(ends_C[n])
        left -= end - first
        num, i = 0 if left >= 0 else num_least, first
        while i < end and num < num_least:
            is_break = (
                markup_U[i] == _LESS
                and i + 2 < end
                and markup_U[i + 1] == _B
                and markup_U[i + 2] == _R
            )
            num += num_least if is_break else int(markup_U[i] == _NEW_LINE)
            i += 1
        is_broken_C[n] = num >= num_least


def may_have_lines(tags: Tags, chosen: Ints) -> list[int]:
    """Those of some elements that hold line ends or breaks; most code inside a line holds none."""
    if not len(chosen):
        return []
    is_chosen = np.empty(len(chosen), np.bool_)
    firsts, ends = tags.lasts[chosen] + 1, tags.firsts[tags.closings[chosen]]
    find_broken(tags.markup, firsts, ends, _CODE_LINE_ENDS, is_chosen)
    found: list[int] = chosen[is_chosen].tolist()
    return found


def _has_lines(tags: Tags, kinds: Ints, tag: int) -> bool:
    """Whether code outside of <pre> has lines of its own, and holds nothing but text."""
    closing = int(tags.closings[tag])
    inner = kinds[tag + 1 : closing]
    is_broken = tags.inside_of(tag).count("\n") >= _CODE_LINE_ENDS or (inner == _BREAK).any()
    return bool(is_broken and _IS_INLINE[inner].all())


def _counts(tags: Tags, tag: int, *, least: int) -> bool:
    """Whether an element holds only whole numbers that follow each other, one on a line, `least` or more."""
    inside = _LINE_BREAK.sub("\n", tags.inside_of(tag))
    lines = plain_text(_MARKUP.sub("", inside)).split("\n")
    numbers = [line.strip() for line in lines if line.strip()]
    if len(numbers) < least or not all(number.isascii() and number.isdigit() for number in numbers):
        return False
    first = int(numbers[0]) if numbers else 0
    return [int(number) for number in numbers] == list(range(first, first + len(numbers)))


def _copy_buttons(tags: Tags, signs: Signs) -> list[int]:
    named = {*signs.find("copy", "btn", "clip"), *tags.named(_BUTTON).tolist()}
    chosen = np.array(sorted(named), np.int64)
    return [tag for tag in may_copy(tags, chosen) if is_copy_button(tags, tag)]


@bare_kernel
def find_copies(markup_U: Bytes, firsts_C: Ints, ends_C: Ints, may_copy_C: Filled[Bools]) -> None:
    """Tell which pieces of markup hold a word for "copy": "cop", 复, 複, コ or 복, in a few hundred bytes."""
    for n in range(len(firsts_C)):
        first, end = int(firsts_C[n]), int(ends_C[n])
        may_copy_C[n] = False
        if end - first >= _COPY_MARKUP_BYTES:
            continue
        for i in range(first, end - 2):
            word = int(markup_U[i]) << 16 | int(markup_U[i + 1]) << 8 | int(markup_U[i + 2])
            if word | 0x202020 == _COP or word in _COPY_SIGNS:
                may_copy_C[n] = True
                break


def may_copy(tags: Tags, chosen: Ints) -> list[int]:
    """Those of some elements that may be buttons to copy what stands beside them."""
    if not len(chosen):
        return []
    is_chosen = np.empty(len(chosen), np.bool_)
    firsts, ends = tags.lasts[chosen] + 1, tags.firsts[tags.closings[chosen]]
    find_copies(tags.markup, firsts, ends, is_chosen)
    found: list[int] = chosen[is_chosen].tolist()
    return found


def is_copy_button(tags: Tags, tag: int) -> bool:
    """Whether an element is a button to copy what stands beside it."""
    size = int(tags.firsts[tags.closings[tag]] - tags.lasts[tag])
    if not 1 < size <= _COPY_MARKUP_BYTES or not _COPY_NAME.search(tags.markup_of(tag)):
        return False
    return bool(_COPIES.fullmatch(_MARKUP.sub("", tags.inside_of(tag)).strip()))


class _Layout:
    """Line ends where a block, an item or a row inside code parts its lines; none of them is a block then."""

    def __init__(self, tags: Tags, kinds: Ints, tag_ids: Ints, code: Code) -> None:
        self._tags, self._kinds, self._tag_ids, self._code = tags, kinds, tag_ids, code

    def write(self, element: int, lines: list[int]) -> None:
        """Lay out one element; `lines` are the elements inside whose names say that they are lines."""
        tags, kinds = self._tags, self._kinds
        closing = int(tags.closings[element])
        inner = kinds[element + 1 : closing]
        blocks = element + 1 + np.flatnonzero((inner == _BLOCK) | (inner == _VOID))
        if not len(blocks) and not lines:
            return
        closings = dict(zip(tags.closings[blocks].tolist(), blocks.tolist(), strict=True))
        borders = {*blocks.tolist(), *closings}
        parts = {tag for tag in blocks.tolist() if self._tag_ids[tag] not in _CELLS}
        opened = parts.union(tag for tag in lines if kinds[tag] == _INLINE_KIND)
        left_out = {tag: int(tags.closings[tag]) for tag in self._code.left_out if tag > element}
        is_at_start, tag = True, element
        while tag < closing:
            if tag in left_out:
                tag = left_out[tag]
                continue
            closed = closings.get(tag, -1) if closings.get(tag, -1) in parts else -1
            is_line = closed in lines or (closed >= 0 and self._tag_ids[closed] == _ITEM)
            is_border = (tag in opened or closed >= 0) and not is_at_start
            if is_border or (is_line and closed == tag - 1):
                self._code.texts[tag] = "\n"
                is_at_start = True
            is_at_start = is_at_start or kinds[tag] == _BREAK
            text = self._text_behind(tag)
            if tag in borders and tag + 1 in borders and text.isspace():
                self._code.blanks.append(tag)
            elif text:
                is_at_start = text.endswith("\n")
            tag += 1
        kinds[blocks] = _INLINE_KIND

    def _text_behind(self, tag: int) -> str:
        written = self._tags.markup[
            int(self._tags.lasts[tag]) + 1 : int(self._tags.firsts[tag + 1])
        ]
        return written.tobytes().decode("utf-8", "replace")
