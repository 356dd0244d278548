"""Tags, comments and raw text of a page's source: where they end, and what a tag says."""

from __future__ import annotations

from refinery.compiled import copied_kernel, inner_kernel
from refinery.extract.scan.builder import (
    AT_VALUES,
    FIRST,
    HAS_ATTRIBUTES,
    HASH,
    IS_EMPTY,
    LENGTHS,
    MOST_VALUES,
    NAME,
    NAME_HASHES,
    NAME_SLOTS,
    NUM_ATTRIBUTES,
    SIZE,
    TAG_END,
    VALUE_HASHES,
    VALUE_SLOTS,
    VALUES,
    Builder,
    Bytes,
)
from refinery.extract.scan.names import attribute_of, number_of
from refinery.extract.scan.values import find_number, hash_small, is_blank, lower, says_shape

_IMG, _IMAGE, _OL, _LI = map(number_of, ("img", "image", "ol", "li"))
_INPUT, _OPTION, _DIALOG = map(number_of, ("input", "option", "dialog"))
_STYLE, _START, _VALUE, _DATA = map(attribute_of, ("style", "start", "value", "data-x"))
_ALT, _TITLE, _SRC = map(attribute_of, ("alt", "title", "src"))
_TYPE, _REVERSED, _CHECKED = map(attribute_of, ("type", "reversed", "checked"))
_DISABLED, _SELECTED = map(attribute_of, ("disabled", "selected"))
_OPEN = attribute_of("open")
# More of an address says nothing more; longer values for scripts are no names.
MOST_ADDRESS_BYTES, MOST_DATA_BYTES = 2_000, 400
# Values for scripts leave room for all others.
MOST_DATA_VALUES = 8
_LONGEST = 13
_LESS, _MORE, _SLASH, _EQUALS, _DASH, _BANG, _D = 60, 62, 47, 61, 45, 33, 100


@copied_kernel
def _is_data(source: Bytes, first: int, end: int) -> bool:
    return (
        end - first > 5
        and lower(int(source[first])) == _D
        and lower(int(source[first + 1])) == 97
        and lower(int(source[first + 2])) == 116
        and lower(int(source[first + 3])) == 97
        and source[first + 4] == _DASH
    )


@copied_kernel
def _belongs_to(name: int, attribute: int) -> bool:
    """Whether an attribute that only some elements have means something on this one; formulas' have no number."""
    if attribute == _TYPE:
        return name == _OL or name == _INPUT
    if attribute == _REVERSED:
        return name == _OL
    if attribute == _CHECKED or attribute == _DISABLED:
        return name == _INPUT
    if attribute == _SELECTED:
        return name == _OPTION
    return name == 0 or (attribute == _OPEN and name == _DIALOG)


@copied_kernel
def _attribute_to_keep(b: Builder, first: int, end: int, value: int, value_end: int) -> int:
    """Number of the attribute with this name, if its value may say something; else 0."""
    attribute, letter = 0, int(b.source[first]) & 31
    if end - first <= _LONGEST and b.table[LENGTHS + letter] >> (end - first) & 1:
        hashed = hash_small(b.source, first, end)
        attribute = find_number(b.table, AT_VALUES, VALUE_SLOTS, VALUE_HASHES, hashed)
    name = b.state[NAME]
    if attribute == 0 or attribute == _DATA:
        size = value_end - value
        return (
            _DATA if size > 2 and size < MOST_DATA_BYTES and _is_data(b.source, first, end) else 0
        )
    if attribute == _ALT or attribute == _TITLE or attribute == _SRC:
        return attribute if name == _IMG or name == _IMAGE else 0
    if attribute == _START or attribute == _VALUE:
        is_number = (attribute == _START and name == _OL) or (attribute == _VALUE and name == _LI)
        return attribute if is_number else 0
    if attribute >= _TYPE:
        return attribute if _belongs_to(name, attribute) else 0
    if attribute == _STYLE and not says_shape(b.source, value, value_end):
        return 0
    return attribute


@copied_kernel
def _keep_value(b: Builder, first: int, end: int, value: int, value_end: int) -> None:
    """Note an attribute of the tag that is read; of equal names the first one counts."""
    b.state[HAS_ATTRIBUTES] = 1
    attribute = _attribute_to_keep(b, first, end, value, value_end)
    num = int(b.state[NUM_ATTRIBUTES])
    if attribute == 0 or num == MOST_VALUES or (attribute == _DATA and num >= MOST_DATA_VALUES):
        return
    if attribute == _SRC and value_end - value > MOST_ADDRESS_BYTES:
        value_end = value + MOST_ADDRESS_BYTES
        while value_end > value and int(b.source[value_end]) & 0xC0 == 0x80:
            value_end -= 1
    for row in range(VALUES, VALUES + 3 * num, 3):
        if b.state[row] == attribute and attribute != _DATA:
            return
    row = VALUES + 3 * num
    b.state[row], b.state[row + 1], b.state[row + 2] = attribute, value, value_end
    b.state[NUM_ATTRIBUTES] = num + 1


@copied_kernel
def _read_value(source: Bytes, i: int) -> tuple[int, int, int]:
    """First offset and end of the value behind "=", and where to read on; -1 at the page's end."""
    num = len(source)
    while i < num and is_blank(int(source[i])):
        i += 1
    if i >= num:
        return i, i, -1
    quote = int(source[i])
    if quote == 34 or quote == 39:
        i += 1
        first = i
        while i < num and source[i] != quote:
            i += 1
        return first, i, i + 1 if i < num else -1
    first = i
    while i < num and source[i] != _MORE and not is_blank(int(source[i])):
        i += 1
    return first, i, i


@copied_kernel
def read_tag(b: Builder, first: int) -> int:
    """Read a tag whose name begins here; returns the offset behind its ">", or -1 where it has none."""
    source, state = b.source, b.state
    num, i = len(source), first
    while i < num and source[i] != _MORE and source[i] != _SLASH and not is_blank(int(source[i])):
        i += 1
    state[FIRST], state[SIZE], state[HASH] = first, i - first, hash_small(source, first, i)
    state[NAME] = find_number(b.table, 0, NAME_SLOTS, NAME_HASHES, int(state[HASH]))
    state[NUM_ATTRIBUTES] = state[HAS_ATTRIBUTES] = state[IS_EMPTY] = 0
    while i >= 0:
        while i < num and (source[i] == _SLASH or is_blank(int(source[i]))):
            state[IS_EMPTY] = source[i] == _SLASH
            i += 1
        if i >= num:
            return -1
        if source[i] == _MORE:
            state[TAG_END] = i + 1
            return i + 1
        state[IS_EMPTY] = 0
        name, i = i, i + 1
        while i < num and source[i] != _MORE and source[i] != _SLASH and source[i] != _EQUALS:
            if is_blank(int(source[i])):
                break
            i += 1
        end = i
        while i < num and is_blank(int(source[i])):
            i += 1
        value = value_end = end
        if i < num and source[i] == _EQUALS:
            value, value_end, i = _read_value(source, i + 1)
        _keep_value(b, name, end, value, value_end)
    return -1


@inner_kernel
def begins_with(source: Bytes, at: int, name: int, size: int) -> bool:
    """Whether the name at this offset is that of `size` bytes at offset `name`, and ends there."""
    if at + size >= len(source):
        return False
    for k in range(size):
        if lower(int(source[at + k])) != lower(int(source[name + k])):
            return False
    behind = int(source[at + size])
    return behind == _MORE or behind == _SLASH or is_blank(behind)


@inner_kernel
def comment_end(source: Bytes, first: int) -> int:
    """Offset behind a comment, or behind a declaration, that begins with "<!" or the like here."""
    num, i = len(source), first + 2
    if not (
        i + 1 < num and source[first + 1] == _BANG and source[i] == _DASH and source[i + 1] == _DASH
    ):
        while i < num and source[i] != _MORE:
            i += 1
        return min(i + 1, num)
    i += 2
    if i < num and source[i] == _MORE:
        return i + 1
    if i + 1 < num and source[i] == _DASH and source[i + 1] == _MORE:
        return i + 2
    while i + 2 < num:
        if source[i] == _DASH and source[i + 1] == _DASH:
            if source[i + 2] == _MORE:
                return i + 3
            if i + 3 < num and source[i + 2] == _BANG and source[i + 3] == _MORE:
                return i + 4
        i += 1
    return num


@inner_kernel
def raw_end(source: Bytes, first: int, name: int, size: int, nests: bool) -> int:
    """Offset of the closing tag of an element without markup inside, whose name stands at `name`.

    With `nests` elements of the same name inside have closing tags of their own (templates).
    """
    num, i, depth = len(source), first, 0
    while i < num:
        if source[i] == _LESS and i + 1 < num:
            if source[i + 1] == _SLASH:
                if begins_with(source, i + 2, name, size):
                    if depth == 0:
                        return i
                    depth -= 1
            elif nests and begins_with(source, i + 1, name, size):
                depth += 1
        i += 1
    return num


@inner_kernel
def script_end(source: Bytes, first: int, name: int) -> int:
    """Offset of the closing tag of a script, whose name stands at `name`.

    Behind "<!--" a script may hold another one with its closing tag, as the standard says.
    """
    num, i, size = len(source), first, 6
    is_escaped = is_double = False
    while i < num:
        # Most scripts hold no comment, and dashes mean nothing in them.
        while not is_escaped and i < num and source[i] != _LESS:
            i += 1
        if i >= num:
            break
        byte = int(source[i])
        if byte == _LESS and i + 3 < num:
            if source[i + 1] == _SLASH and begins_with(source, i + 2, name, size):
                if not is_double:
                    return i
                is_double = False
            elif source[i + 1] == _BANG and source[i + 2] == _DASH and source[i + 3] == _DASH:
                is_escaped = True
                i += 1
            elif is_escaped and begins_with(source, i + 1, name, size):
                is_double = True
        elif byte == _DASH and i + 2 < num and source[i + 1] == _DASH and source[i + 2] == _MORE:
            is_escaped = is_double = False
        i += 1
    return num
