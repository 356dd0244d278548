"""Write the text of blocks: a kernel walks along the tags of a page and tidies what stands between them.

Blanks become one space; lines end where <br> stands, two of them leave an empty line. Between Chinese or
Japanese characters a line end of the source is no space. Code keeps its line ends and indentation; so
does text whose style keeps them its line ends. Soft hyphens and blanks without width are not written.
Shapes: U bytes of markup in UTF-8, T tags, K tags that stand for text, N blocks.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, Matrix, bare_kernel, copied_kernel, inner_kernel
from refinery.extract.tag_kinds import Kind

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Bools = NDArray[np.bool_]

# Columns of `blocks`: the node at which one begins, offsets of its text, and what is counted in it;
# images and controls are those that stand before it, behind the begin of the one before.
(FIRST_NODE, START, END, LINK_CHARS, NUM_LINKS, BOLD_CHARS, NUM_BREAKS, NUM_IMAGES,
 NUM_CONTROLS) = range(9)  # fmt: skip
NUM_BLOCK_COLUMNS = 9
# Columns of `changes`, by tag: whether it closes a block, and what it adds to the depth of bold text and code.
_IS_END, _BOLD_CHANGE, _CODE_CHANGE = range(3)
NUM_CHANGES = 3
# Cells of `state`: blocks, offset to write at and the run's first one, what stands since the last visible
# character, whether that one is wide, whether the run has a block, what is open, what was counted, and
# whether a line of code was just ended by <br>.
(NUM, _AT, _BEGIN, _BLANKS, _ENDS, _IS_WIDE, _IS_OPEN, _LINK, _COUNTED_LINK, _BOLD, _CODE, _BREAKS,
 _IMAGES, _CONTROLS, _IS_FULL, _IS_BROKEN) = range(16)  # fmt: skip
NUM_CELLS = 16
# What blanks since the last visible character are: none, of one line, beginning with a line end, others.
_NONE, _SAME_LINE, _LINE_END, _OTHER = range(4)
# Bits of a character: whether it is a blank, whether it is written without spaces around it, always or beside
# such characters, and whether nobody sees it.
_IS_BLANK, _IS_WIDE_CHARACTER, _IS_WIDE_MARK, _IS_UNSEEN = 1, 2, 4, 8
_TABLE_SIZE = 1 << 16
_WIDE = ((0x2E80, 0x303F), (0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF),
         (0xFF01, 0xFF60))  # fmt: skip
_WIDE_MARKS = "“”‘’—…·"
# Where a word may break, and marks of a file's beginning.
_UNSEEN = (0xAD, 0x200B, 0x2060, 0xFEFF)

_BLOCK, _LINK_KIND, _BOLD_KIND, _BREAK, _VOID, _IMAGE = (
    int(kind) for kind in (Kind.BLOCK, Kind.LINK, Kind.BOLD, Kind.BREAK, Kind.VOID, Kind.IMAGE)
)
_AMP, _SPACE, _NEW_LINE, _TAB, _HARD_SPACE = 38, 32, 10, 9, 0xA0


class Source(NamedTuple):
    """The tags of a page and the text between them.

    Attributes:
        markup: [U] as the scan wrote it.
        firsts, lasts: [T] offsets of "<" and ">" in it.
        kinds: [T] `Kind`.
        closings: [T] index of the closing tag; of others their own index.
        is_blank, is_skipped: [T] whether the text behind holds nothing above a space, or is no text.
        is_code: [T] whether the tag opens code.
        keeps_lines: [T] whether line ends of the source are drawn behind the tag.
        is_control: [T] whether the tag opens a form control.
        said_tags: [K] tags that stand for text, rising.
        said_bounds: [K + 1] offsets of their texts.
        said: Those texts, in UTF-8.
        signs: What each character of the basic plane is, by code point.
    """

    markup: Bytes
    firsts: Ints
    lasts: Ints
    kinds: Ints
    closings: Ints
    is_blank: Bools
    is_skipped: Bools
    is_code: Bools
    keeps_lines: Bools
    is_control: Bools
    said_tags: Ints
    said_bounds: Ints
    said: Bytes
    signs: Bytes


class Written(NamedTuple):
    """What the kernels fill: text, its blocks one after another, and where they are."""

    out: Filled[Bytes]
    blocks: Matrix[Filled[Ints]]
    changes: Matrix[Filled[Ints]]
    state: Filled[Ints]


@functools.cache
def signs_of_characters() -> Bytes:
    """What each character of the basic plane is: blanks are those of Python's `str.split`."""
    table = np.zeros(_TABLE_SIZE, np.uint8)
    table[[code for code in range(_TABLE_SIZE) if chr(code).isspace()]] |= _IS_BLANK
    for first, last in _WIDE:
        table[first : last + 1] |= _IS_WIDE_CHARACTER
    table[[ord(mark) for mark in _WIDE_MARKS]] |= _IS_WIDE_MARK
    table[list(_UNSEEN)] |= _IS_UNSEEN
    table.flags.writeable = False
    return table


def new_written(source: Source, most_blocks: int) -> Written:
    """Room for the blocks of a page."""
    num = len(source.kinds)
    state = np.zeros(NUM_CELLS, np.int64)
    state[_LINK] = state[_COUNTED_LINK] = -1
    return Written(
        np.empty(len(source.markup) + len(source.said) + 3 * num + 16, np.uint8),
        np.empty((min(num, most_blocks), NUM_BLOCK_COLUMNS), np.int64),
        np.zeros((num, NUM_CHANGES), np.int64),
        state,
    )


@copied_kernel
def _read_sign(text: Bytes, i: int, end: int, is_markup: bool) -> tuple[int, int]:
    """The code point that begins here, and the offset behind it; markup holds the escapes of a parser."""
    lead = int(text[i])
    if lead == _AMP and is_markup and i + 3 < end:
        letter = int(text[i + 1])
        if letter == 97:
            return _AMP, min(i + 5, end)  # &amp;
        if letter == 108:
            return 60, i + 4  # &lt;
        if letter == 103:
            return 62, i + 4  # &gt;
        if letter == 113:
            return 34, min(i + 6, end)  # &quot;
        if letter == 110:
            return 0xA0, min(i + 6, end)  # &nbsp;
    if lead < 0x80:
        return lead, i + 1
    size = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    point, last = lead & (0xFF >> (size + 1)), min(i + size, end)
    for k in range(i + 1, last):
        point = point << 6 | int(text[k]) & 63
    return point, last


@inner_kernel
def _put(w: Written, point: int) -> None:
    """Write a code point in UTF-8."""
    at = int(w.state[_AT])
    if point < 0x80:
        w.out[at] = point
        w.state[_AT] = at + 1
        return
    if point < 0x800:
        w.out[at] = 0xC0 | point >> 6
    elif point < 0x10000:
        w.out[at], w.out[at + 1] = 0xE0 | point >> 12, 0x80 | (point >> 6) & 63
        at += 1
    else:
        w.out[at], w.out[at + 1] = 0xF0 | point >> 18, 0x80 | (point >> 12) & 63
        w.out[at + 2] = 0x80 | (point >> 6) & 63
        at += 2
    w.out[at + 1] = 0x80 | point & 63
    w.state[_AT] = at + 2


@copied_kernel
def _are_wide(before: int, after: int) -> bool:
    """Whether a line end of the source between two characters is no space: both are wide, or one and its quote."""
    return before != 0 and after != 0 and (before | after) & _IS_WIDE_CHARACTER != 0


@copied_kernel
def _part(w: Written, wide: int) -> None:
    """Write what parts the next visible character from the one before."""
    if w.state[_AT] > w.state[_BEGIN]:
        blanks, ends = w.state[_BLANKS], w.state[_ENDS]
        if ends > 0:
            _put(w, _NEW_LINE)
            if ends > 1:
                _put(w, _NEW_LINE)
        elif blanks != _NONE and not (
            blanks == _LINE_END and _are_wide(wide, int(w.state[_IS_WIDE]))
        ):
            _put(w, _SPACE)
    w.state[_BLANKS], w.state[_ENDS], w.state[_IS_WIDE] = _NONE, 0, wide


@copied_kernel
def _add_blank(w: Written, point: int) -> None:
    blanks = w.state[_BLANKS]
    if blanks == _NONE or blanks == _SAME_LINE:
        if point == _SPACE or point == _TAB:
            w.state[_BLANKS] = _SAME_LINE
        else:
            w.state[_BLANKS] = _LINE_END if point == _NEW_LINE else _OTHER


@copied_kernel
def _copy_plain(w: Written, text: Bytes, i: int, end: int) -> int:
    """Write visible ASCII up to what is none; returns the offset behind it."""
    _part(w, 0)
    at = int(w.state[_AT])
    while i < end:
        byte = int(text[i])
        if byte <= _SPACE or byte >= 0x7F or byte == _AMP:
            break
        w.out[at] = byte
        at += 1
        i += 1
    w.state[_AT] = at
    return i


@copied_kernel
def _write_line(
    w: Written, signs: Bytes, text: Bytes, first: int, end: int, is_markup: bool, keeps_lines: bool
) -> int:
    """Write a piece of text as part of a line; returns its characters, or 0 where all are blanks."""
    i, size, is_visible = first, 0, False
    while i < end:
        byte = int(text[i])
        if byte > _SPACE and byte < 0x7F and byte != _AMP:
            behind = _copy_plain(w, text, i, end)
            size += behind - i
            i, is_visible = behind, True
            continue
        point, i = _read_sign(text, i, end, is_markup)
        size += 1
        sign = int(signs[min(point, _TABLE_SIZE - 1)])
        if keeps_lines and point == _NEW_LINE:
            w.state[_ENDS] += 1
            w.state[_BLANKS] = _NONE
        elif sign & _IS_BLANK:
            _add_blank(w, point)
        elif sign & _IS_UNSEEN == 0:
            is_visible = True
            _part(w, sign & (_IS_WIDE_CHARACTER | _IS_WIDE_MARK))
            _put(w, point)
    return size if is_visible else 0


@copied_kernel
def _write_code(
    w: Written, signs: Bytes, text: Bytes, first: int, end: int, is_markup: bool
) -> int:
    """Write a piece of code as it stands; returns its characters, or 0 where all are blanks."""
    i, size, is_visible = first, 0, False
    # A line end of the source beside <br> is the same one.
    if w.state[_IS_BROKEN] and i < end and text[i] == _NEW_LINE:
        i += 1
    w.state[_IS_BROKEN] = 0
    while i < end:
        point, i = _read_sign(text, i, end, is_markup)
        size += 1
        is_blank = signs[min(point, _TABLE_SIZE - 1)] & (_IS_BLANK | _IS_UNSEEN) != 0
        is_visible = is_visible or not is_blank
        # Editors write blanks that hold.
        _put(w, _SPACE if point == _HARD_SPACE else point)
    return size if is_visible else 0


@copied_kernel
def _count(s: Source, w: Written, node: int, size: int) -> None:
    """Count a piece of text that is not blank; the first one of a run begins a block."""
    state, tag = w.state, node >> 1
    if state[_IS_OPEN] == 0:
        if state[NUM] == len(w.blocks):
            state[_IS_FULL] = 1
            return
        block = w.blocks[state[NUM]]
        block[FIRST_NODE] = node
        block[LINK_CHARS] = block[NUM_LINKS] = block[BOLD_CHARS] = 0
        block[NUM_IMAGES], block[NUM_CONTROLS] = state[_IMAGES], state[_CONTROLS]
        state[_IMAGES] = state[_CONTROLS] = 0
        state[_IS_OPEN], state[_COUNTED_LINK] = 1, -1
        state[NUM] += 1
    block = w.blocks[state[NUM] - 1]
    # Links do not nest: the last one that opened holds a piece, or none does.
    link = state[_LINK]
    if link >= 0 and s.closings[link] > tag:
        block[LINK_CHARS] += size
        block[NUM_LINKS] += link != state[_COUNTED_LINK]
        state[_COUNTED_LINK] = link
    if state[_BOLD] > 0:
        block[BOLD_CHARS] += size


@copied_kernel
def _end_run(w: Written) -> None:
    """End the block of a run; a run without one leaves nothing."""
    state, out = w.state, w.out
    if state[_IS_OPEN]:
        block, first, end = w.blocks[state[NUM] - 1], int(state[_BEGIN]), int(state[_AT])
        while first < end and out[first] == _NEW_LINE:
            first += 1
        while first < end and out[end - 1] == _NEW_LINE:
            end -= 1
        block[START], block[END], block[NUM_BREAKS] = first, end, state[_BREAKS]
        state[_BEGIN] = state[_AT]
    state[_AT] = state[_BEGIN]
    state[_BLANKS], state[_ENDS], state[_IS_WIDE] = _NONE, 0, 0
    state[_IS_OPEN] = state[_BREAKS] = state[_IS_BROKEN] = 0


@copied_kernel
def _write_piece(
    s: Source, w: Written, node: int, text: Bytes, first: int, end: int, is_markup: bool
) -> None:  # fmt: skip
    if w.state[_CODE] > 0:
        size = _write_code(w, s.signs, text, first, end, is_markup)
    else:
        keeps_lines = is_markup and s.keeps_lines[node >> 1]
        size = _write_line(w, s.signs, text, first, end, is_markup, keeps_lines)
    if size > 0:
        _count(s, w, node, size)


@copied_kernel
def _note_changes(s: Source, w: Written) -> None:
    """Note at each tag what opens or closes there."""
    for tag in range(len(s.kinds)):
        kind, closing = s.kinds[tag], s.closings[tag]
        if kind == _BLOCK:
            w.changes[closing, _IS_END] = 1
            if s.is_code[tag]:
                w.changes[tag, _CODE_CHANGE] += 1
                w.changes[closing, _CODE_CHANGE] -= 1
        elif kind == _BOLD_KIND:
            w.changes[tag, _BOLD_CHANGE] += 1
            w.changes[closing, _BOLD_CHANGE] -= 1


@copied_kernel
def _write_break(w: Written) -> None:
    w.state[_BREAKS] += 1
    if w.state[_CODE] > 0:
        _put(w, _NEW_LINE)
        w.state[_IS_BROKEN] = 1
    else:
        w.state[_ENDS] += 1
        w.state[_BLANKS] = _NONE


@bare_kernel
def write_blocks(s: Source, w: Written) -> None:
    """Write the text of all blocks, and count what is in them."""
    _note_changes(s, w)
    state, said = w.state, 0
    for tag in range(len(s.kinds)):
        kind, changes = s.kinds[tag], w.changes[tag]
        if kind == _BLOCK or kind == _VOID or changes[_IS_END]:
            _end_run(w)
        state[_BOLD] += changes[_BOLD_CHANGE]
        state[_CODE] += changes[_CODE_CHANGE]
        if kind == _LINK_KIND:
            state[_LINK] = tag
        if kind == _BREAK:
            _write_break(w)
        elif said < len(s.said_tags) and s.said_tags[said] == tag:
            _write_piece(s, w, 2 * tag, s.said, s.said_bounds[said], s.said_bounds[said + 1], False)
        said += said < len(s.said_tags) and s.said_tags[said] == tag
        state[_IMAGES] += kind == _IMAGE
        state[_CONTROLS] += s.is_control[tag]
        if tag + 1 < len(s.kinds) and not s.is_skipped[tag]:
            first, end = int(s.lasts[tag]) + 1, int(s.firsts[tag + 1])
            if first < end and s.is_blank[tag] and state[_CODE] <= 0:
                _add_blank(w, int(s.markup[first]))
            elif first < end:
                _write_piece(s, w, 2 * tag + 1, s.markup, first, end, True)
        if state[_IS_FULL]:
            return
    _end_run(w)
