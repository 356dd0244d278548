"""Write tags and text as a parser writes what it understood: escaped, quoted, closed."""

from __future__ import annotations

from refinery.compiled import copied_kernel, inner_kernel
from refinery.extract.scan.builder import (
    CLASSES,
    CLOSES,
    CLOSING,
    COL_SPAN,
    END,
    FIRST,
    FULL,
    HAS_ATTRIBUTES,
    KIND,
    NAME_FIRSTS,
    NUM_ATTRIBUTES,
    NUMBER,
    OUT,
    ROW_SPAN,
    SIZE,
    START,
    TAG_NAME,
    TAGS,
    VALUE_FIRSTS,
    VALUES,
    WORDS,
    Builder,
)
from refinery.extract.scan.names import attribute_of, number_of
from refinery.extract.scan.references import write_byte, write_reference
from refinery.extract.scan.values import hash_of, number_in, word_bits

_A = number_of("a")
_CLASS, _ID, _ROLE, _ITEMPROP = map(attribute_of, ("class", "id", "role", "itemprop"))
_STYLE, _HIDDEN, _DATA = map(attribute_of, ("style", "hidden", "data-x"))
_START, _VALUE = attribute_of("start"), attribute_of("value")
_COL_SPAN, _ROW_SPAN = attribute_of("colspan"), attribute_of("rowspan")
# Bytes of the longest escape, `&quot;`; the most that a name from our tables takes.
_ESCAPE, _NAME_ROOM = 6, 64
_AMP, _LESS, _MORE, _QUOTE, _SLASH, _EQUALS, _SPACE = 38, 60, 62, 34, 47, 61, 32
_LINE_END, _RETURN = 10, 13


@copied_kernel
def has_room(b: Builder, num_bytes: int) -> bool:
    """Whether so many bytes and two tags can still be written; else the page is read anew, with more."""
    if b.state[OUT] + num_bytes <= len(b.out) and b.state[TAGS] + 2 <= len(b.tags):
        return True
    b.state[FULL] = 1
    return False


@copied_kernel
def add_tag(b: Builder, start: int, name: int, kind: int) -> int:
    """Note a tag that was written from `start` up to here; returns its index."""
    tag = int(b.state[TAGS])
    b.tags[tag, START], b.tags[tag, END] = start, b.state[OUT] - 1
    b.tags[tag, TAG_NAME], b.tags[tag, KIND] = name, kind
    b.tags[tag, CLOSING] = tag
    b.tags[tag, CLASSES] = b.tags[tag, WORDS] = 0
    b.tags[tag, NUMBER] = b.tags[tag, COL_SPAN] = b.tags[tag, ROW_SPAN] = -1
    b.state[TAGS] = tag + 1
    return tag


@copied_kernel
def copy_text(b: Builder, first: int, end: int, at: int, is_value: bool, is_raw: bool) -> int:
    """Write these bytes of the source at an offset, which is returned behind them.

    Line ends become one "\\n", NUL vanishes from text; `is_raw` takes "&" for itself.
    """
    source, out = b.source, b.out
    i = first
    while i < end:
        byte = int(source[i])
        if byte > _MORE or (byte > _QUOTE and byte < _AMP) or (byte > _AMP and byte < _LESS):
            out[at] = byte
            at += 1
            i += 1
        elif byte == _AMP and not is_raw:
            i, at = write_reference(b.table, source, i, end, out, at, is_value)
        else:
            if byte == _RETURN:
                byte = 0 if i + 1 < end and source[i + 1] == _LINE_END else _LINE_END
            if byte != 0:
                at = write_byte(out, at, byte, is_value)
            i += 1
    return at


@inner_kernel
def write_text(b: Builder, first: int, end: int, is_raw: bool) -> None:
    """Write text; with `is_raw` it holds no references."""
    if has_room(b, _ESCAPE * (end - first) + 16):
        b.state[OUT] = copy_text(b, first, end, int(b.state[OUT]), False, is_raw)


@copied_kernel
def copy_name(b: Builder, name: int, at: int) -> int:
    """Write a name from our tables, or the one that was read; returns the offset behind it."""
    if name:
        for i in range(b.table[NAME_FIRSTS + name], b.table[NAME_FIRSTS + name + 1]):
            b.out[at] = b.table[i]
            at += 1
        return at
    first = int(b.state[FIRST])
    for i in range(first, first + int(b.state[SIZE])):
        byte = int(b.source[i])
        if byte >= 65 and byte <= 90:
            byte += 32
        # A name may hold what would end a tag for those who look for it.
        if byte == _LESS or byte == _QUOTE or byte == 0:
            byte = 95
        b.out[at] = byte
        at += 1
    return at


@copied_kernel
def _copy_value(b: Builder, row: int, tag: int, at: int) -> int:
    """Write one attribute of the tag that was read, and note what its value says."""
    attribute, first, end = (
        int(b.state[row]),
        int(b.state[row + 1]),
        int(b.state[row + 2]),
    )
    b.out[at] = _SPACE
    at += 1
    for i in range(b.table[VALUE_FIRSTS + attribute], b.table[VALUE_FIRSTS + attribute + 1]):
        b.out[at] = b.table[i]
        at += 1
    b.out[at], b.out[at + 1] = _EQUALS, _QUOTE
    at = copy_text(b, first, end, at + 2, True, False)
    b.out[at] = _QUOTE
    if attribute == _CLASS:
        b.tags[tag, CLASSES] = hash_of(b.source, first, end)
    if attribute <= _ITEMPROP:
        b.tags[tag, WORDS] |= word_bits(b.table, b.source, first, end)
    elif attribute == _START or attribute == _VALUE:
        b.tags[tag, NUMBER] = number_in(b.source, first, end)
    elif attribute == _COL_SPAN:
        b.tags[tag, COL_SPAN] = number_in(b.source, first, end)
    elif attribute == _ROW_SPAN:
        b.tags[tag, ROW_SPAN] = number_in(b.source, first, end)
    return at + 1


@copied_kernel
def write_opening(b: Builder, name: int, kind: int, is_implied: bool) -> int:
    """Write an opening or void tag; one that the page implies has no attributes. -1 without room."""
    values = 0 if is_implied else int(b.state[NUM_ATTRIBUTES])
    need, is_hidden = 2 * _NAME_ROOM + 2 * int(b.state[SIZE]), False
    for row in range(VALUES, VALUES + 3 * values, 3):
        need += _ESCAPE * int(b.state[row + 2] - b.state[row + 1]) + _NAME_ROOM
        is_hidden = is_hidden or b.state[row] == _STYLE or b.state[row] == _HIDDEN
    if not has_room(b, need):
        return -1
    start = int(b.state[OUT])
    b.out[start] = _LESS
    tag = add_tag(b, start, name, kind)
    at = copy_name(b, name, start + 1)
    if name == _A and not is_implied and b.state[HAS_ATTRIBUTES]:
        b.out[at] = _SPACE  # links with an address are told by it
        at += 1
    for row in range(VALUES, VALUES + 3 * values, 3):
        if b.state[row] != _DATA or is_hidden:
            at = _copy_value(b, row, tag, at)
    b.out[at] = _MORE
    b.state[OUT] = at + 1
    b.tags[tag, END] = at
    return tag


@inner_kernel
def add_names(b: Builder, tag: int) -> None:
    """Give a tag that is written already the names of the tag that was read, as a second <body> does."""
    for row in range(VALUES, VALUES + 3 * int(b.state[NUM_ATTRIBUTES]), 3):
        first, end = int(b.state[row + 1]), int(b.state[row + 2])
        if b.state[row] == _CLASS and b.tags[tag, CLASSES] == 0:
            b.tags[tag, CLASSES] = hash_of(b.source, first, end)
        if b.state[row] <= _ITEMPROP:
            b.tags[tag, WORDS] |= word_bits(b.table, b.source, first, end)


@copied_kernel
def write_closing(b: Builder, opening: int, length: int, closes: bool) -> None:
    """Write the closing tag of an opening one, whose name has `length` bytes.

    Without `closes` it only parts the text before it from that behind it.
    """
    if not has_room(b, length + 3):
        return
    start = int(b.state[OUT])
    first = int(b.tags[opening, START]) + 1
    b.out[start], b.out[start + 1] = _LESS, _SLASH
    for i in range(length):
        b.out[start + 2 + i] = b.out[first + i]
    b.out[start + 2 + length] = _MORE
    b.state[OUT] = start + length + 3
    tag = add_tag(b, start, int(b.tags[opening, TAG_NAME]), CLOSES)
    if closes:
        b.tags[opening, CLOSING] = tag
