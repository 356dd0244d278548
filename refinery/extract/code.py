"""Code as it stands on the screen: its lines and their indentation, without what stands beside them.

Pages write code in <pre>, but the lines inside it may be blocks, list items, rows of a table, or elements
that a style sheet parts; some have no <pre> at all. All of them become one block. Numbers of lines and
buttons to copy it are no code.
Shapes: T tags, opening and closing ones, in order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refinery.extract.inline import plain_text
from refinery.extract.scan.names import number_of
from refinery.extract.signs import Signs
from refinery.extract.tag_kinds import HEADING_IDS, TAG_IDS, Kind
from refinery.extract.tags import Tags

Ints = NDArray[np.int64]

_PRE, _CODE, _ITEM = TAG_IDS["pre"], number_of("code"), TAG_IDS["li"]
_INLINE = (Kind.INLINE, Kind.BOLD, Kind.LINK, Kind.CLOSING, Kind.BREAK, Kind.IMAGE)
# So many line ends inside <code> are no chance of how the source was wrapped.
_CODE_LINE_ENDS = 2
# More code elements than this are no page for readers.
_MOST_ELEMENTS = 5_000
_CONTAINER = re.compile(
    r' class="(?:[^"]* )?(?:syntaxhighlighter|js-file-line-container|fragment)[ "]'
)
_LINE = re.compile(
    r' class="(?:[^"]* )?(?:line|cl|(?:code|token|view|crayon|ec|CodeMirror)-line)[ "]'
)
_GUTTER = re.compile(
    r' class="[^"]*(?<![a-z])(?:line-?no|line-?num|gutter|pre-numbering|blob-num|crayon-num|ln-num|hljs-ln-n)'
)
_MARKUP = re.compile(r"<[^>]*>")
_COPIES = re.compile(
    r"(?i)(?:copy|copied!?|copy (?:code|to clipboard)|复制(?:代码)?|複製(?:程式碼)?|コピー(?:する)?|복사)"
)
_COPY_NAME = re.compile(r'(?i)<button|="[^"]*(?:copy|btn|button|clipboard)')
_COPY_MARKUP_CHARS = 300


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
    code.left_out = [
        tag
        for tag in signs.find_named(_GUTTER, "line", "gutter", "num")
        if _is_number(tags, tag, least=0)
    ]
    gutters = tags.covered(np.array(code.left_out, np.int64))
    end = -1
    for tag in elements:
        closing = int(tags.closings[tag])
        if tag < end or gutters[tag]:
            continue
        if tag_ids[tag] == _PRE and _is_number(tags, tag, least=2):
            code.left_out.append(tag)
            continue
        end = closing
        if np.isin(
            tag_ids[tag + 1 : closing][kinds[tag + 1 : closing] == Kind.BLOCK], HEADING_IDS
        ).any():
            continue
        kinds[tag], tag_ids[tag] = Kind.BLOCK, _PRE
        _leave_out_buttons(tags, range(tag + 1, closing), kinds, code)
        _lay_out(tags, tag, kinds, tag_ids, signs, code)
    return code


def _elements(tags: Tags, kinds: Ints, tag_ids: Ints, signs: Signs) -> list[int]:
    """Opening tags of what may be code, in order."""
    is_pre = (tag_ids == _PRE) & (kinds == Kind.BLOCK)
    found = np.flatnonzero(is_pre).tolist()
    for tag in signs.find_named(_CONTAINER, "line", "syntaxhighlighter", "fragment"):
        # Slides have fragments, too.
        if (
            kinds[tag] != Kind.SKIP and 'class="line' in tags.inside_of(tag)
        ) or "blob-code" in tags.inside_of(tag):
            found.append(tag)
    for tag in np.flatnonzero((tags.name_ids == _CODE) & (kinds == Kind.INLINE))[
        :_MOST_ELEMENTS
    ].tolist():
        first, end = int(tags.ends[tag]), int(tags.starts[tags.closings[tag]])
        inner = kinds[tag + 1 : tags.closings[tag]]
        has_lines = (
            tags.text.count("\n", first, end) >= _CODE_LINE_ENDS or (inner == Kind.BREAK).any()
        )
        if has_lines and np.isin(inner, _INLINE).all():
            found.append(tag)
    return sorted(set(found))[:_MOST_ELEMENTS]


def _is_number(tags: Tags, tag: int, *, least: int) -> bool:
    """Whether an element holds only whole numbers that follow each other, `least` of them or more."""
    numbers = plain_text(_MARKUP.sub(" ", tags.inside_of(tag))).split()
    if len(numbers) < least or not all(number.isascii() and number.isdigit() for number in numbers):
        return False
    first = int(numbers[0]) if numbers else 0
    return [int(number) for number in numbers] == list(range(first, first + len(numbers)))


def _leave_out_buttons(tags: Tags, inside: range, kinds: Ints, code: Code) -> None:
    for tag in inside:
        if kinds[tag] in (Kind.BLOCK, Kind.INLINE, Kind.LINK) and is_copy_button(tags, tag):
            code.left_out.append(tag)


def is_copy_button(tags: Tags, tag: int) -> bool:
    """Whether an element is a button to copy what stands beside it."""
    first, end = int(tags.ends[tag]) + 1, int(tags.starts[tags.closings[tag]])
    if not 0 < end - first <= _COPY_MARKUP_CHARS or not _COPY_NAME.search(tags.markup_of(tag)):
        return False
    return bool(_COPIES.fullmatch(_MARKUP.sub("", tags.text[first:end]).strip()))


def _lay_out(
    tags: Tags, element: int, kinds: Ints, tag_ids: Ints, signs: Signs, code: Code
) -> None:
    """Write line ends where a block, an item or a row inside code parts its lines; none is a block then."""
    closing = int(tags.closings[element])
    is_block = (kinds == Kind.BLOCK) | (kinds == Kind.VOID)
    is_block[: element + 1] = is_block[closing:] = False
    blocks = np.flatnonzero(is_block)
    lines = set(signs.find_named(_LINE, "line")) if signs.has("line") else set()
    if not len(blocks) and not any(element < tag < closing for tag in lines):
        return
    parts = {tag for tag in blocks.tolist() if tag_ids[tag] not in (TAG_IDS["td"], TAG_IDS["th"])}
    ends = {int(tags.closings[tag]): tag for tag in parts}
    cells = set(blocks.tolist()) | {int(tags.closings[tag]) for tag in blocks.tolist()}
    left_out = {tag: int(tags.closings[tag]) for tag in code.left_out}
    is_at_start, tag = True, element
    while tag < closing:
        if tag in left_out:
            tag = left_out[tag]
            continue
        opens_line = tag in parts or (tag in lines and kinds[tag] == Kind.INLINE)
        is_empty_line = (
            tag in ends
            and ends[tag] == tag - 1
            and (ends[tag] in lines or tag_ids[ends[tag]] == _ITEM)
        )
        if (opens_line and not is_at_start) or (tag in ends and not is_at_start) or is_empty_line:
            code.texts[tag] = "\n"
            is_at_start = True
        is_at_start = is_at_start or kinds[tag] == Kind.BREAK
        text = tags.text[int(tags.ends[tag]) + 1 : int(tags.starts[tag + 1])]
        if tag in cells and tag + 1 in cells and text.isspace():
            code.blanks.append(tag)
        elif text:
            is_at_start = text.endswith("\n")
        tag += 1
    kinds[blocks] = Kind.INLINE
