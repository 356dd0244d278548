"""Open elements, and formatting elements that are opened anew behind what closed them."""

from __future__ import annotations

from refinery.compiled import copied_kernel, inner_kernel
from refinery.extract.scan.builder import (
    A_INDEX,
    A_NAME,
    A_UNIQUE,
    A_VALUES,
    ACTIVE,
    ACTIVES,
    CLOSING,
    COUNTS,
    DEPTH,
    END,
    FIRST,
    FOSTER_DEPTH,
    FOSTER_OUT,
    FOSTER_TAG,
    HASH,
    HASH_OF,
    HOLDS_NOTHING,
    IS_PLAIN,
    LENGTH_OF,
    MARKER,
    MAX_ACTIVE,
    MAX_DEPTH,
    MODE_OF,
    MOVED,
    NAME,
    NAME_FIRSTS,
    NAME_HASHES,
    NUM_TAG_COLUMNS,
    NUM_UNKNOWN,
    NUMBER_OF,
    OPENS,
    OUT,
    SERIAL,
    SIZE,
    SPACE_OF,
    START,
    TAG_END,
    TAG_NAME,
    TAG_OF,
    TAGS,
    TRAITS,
    TRAITS_OF,
    UNIQUE_OF,
    Builder,
)
from refinery.extract.scan.names import Trait, number_of
from refinery.extract.scan.values import hash_of
from refinery.extract.scan.writing import write_closing, write_opening

_P, _TABLE, _WBR, _A, _B, _STRONG = map(number_of, ("p", "table", "wbr", "a", "b", "strong"))
_IMPLIED_END, _SPECIAL, _SCOPE = int(Trait.IMPLIED_END), int(Trait.SPECIAL), int(Trait.SCOPE)
_BUTTON_SCOPE = int(Trait.BUTTON_SCOPE)
# Text in a table but in no cell is moved before the table, up to so many bytes of a page.
MOST_MOVED = 20_000_000
SAME_MODE = -1
# The name of an element that was taken off the stack before what it holds.
LEFT = -2
# Of equal formatting elements in a row so many count.
_MOST_EQUAL = 3


@copied_kernel
def count_cell(name: int, hashed: int) -> int:
    """Cell of `state` that counts the open elements of this name."""
    return COUNTS + (name if name else 256 + hashed % NUM_UNKNOWN)


@copied_kernel
def top(b: Builder, column: int) -> int:
    """What the innermost open element has in a column of the stack."""
    return int(b.stack[b.state[DEPTH] - 1, column])


@inner_kernel
def open_element(
    b: Builder, name: int, is_implied: bool, mode: int, space: int, traits: int
) -> None:
    """Write an opening tag, and keep the element open."""
    depth = int(b.state[DEPTH])
    kind = OPENS if depth < MAX_DEPTH else HOLDS_NOTHING
    tag = write_opening(b, name, kind, is_implied)
    if tag < 0 or kind != OPENS:
        return
    hashed = int(b.table[NAME_HASHES + name]) if name else int(b.state[HASH])
    size = int(b.table[NAME_FIRSTS + name + 1] - b.table[NAME_FIRSTS + name])
    row = b.stack[depth]
    row[NUMBER_OF], row[HASH_OF], row[TAG_OF] = name, hashed, tag
    row[LENGTH_OF] = size if name else b.state[SIZE]
    row[MODE_OF] = mode if mode != SAME_MODE else b.stack[depth - 1, MODE_OF]
    row[SPACE_OF], row[TRAITS_OF] = space, traits
    b.state[SERIAL] += 1
    row[UNIQUE_OF] = b.state[SERIAL]
    b.state[count_cell(name, hashed)] += 1
    b.state[DEPTH] = depth + 1


@copied_kernel
def insert(b: Builder) -> None:
    """Open the element whose tag was read, as HTML."""
    name = int(b.state[NAME])
    open_element(b, name, False, SAME_MODE, 0, int(b.table[TRAITS + name]))


@copied_kernel
def insert_named(b: Builder, name: int, mode: int, is_implied: bool) -> None:
    """Open an element of this name; one that the page implies has no attributes."""
    open_element(b, name, is_implied, mode, 0, int(b.table[TRAITS + name]))


@inner_kernel
def pop(b: Builder) -> None:
    """Close the innermost element; the body stays open."""
    depth = int(b.state[DEPTH]) - 1
    while depth >= 1:
        row = b.stack[depth]
        write_closing(b, int(row[TAG_OF]), int(row[LENGTH_OF]), True)
        if row[NUMBER_OF] != LEFT:
            b.state[count_cell(int(row[NUMBER_OF]), int(row[HASH_OF]))] -= 1
        b.state[DEPTH] = depth
        settle_foster(b)
        depth -= 1
        if b.stack[depth, NUMBER_OF] != LEFT:
            return


@inner_kernel
def leave(b: Builder, index: int) -> None:
    """Take an element off the stack whose inside goes on: it ends with the element that is open in it."""
    row = b.stack[index]
    b.state[count_cell(int(row[NUMBER_OF]), int(row[HASH_OF]))] -= 1
    row[NUMBER_OF], row[HASH_OF], row[TRAITS_OF] = LEFT, -1, 0


@inner_kernel
def pop_to(b: Builder, depth: int) -> None:
    """Close elements until `depth` are open."""
    while b.state[DEPTH] > max(depth, 1):
        pop(b)


@inner_kernel
def pop_until(b: Builder, name: int) -> None:
    """Close elements up to the innermost one of this name, that one too."""
    while b.state[DEPTH] > 1:
        closed = top(b, NUMBER_OF)
        pop(b)
        if closed == name:
            return


@inner_kernel
def pop_implied(b: Builder, name: int) -> None:
    """Close what needs no closing tag of its own, but elements of this name."""
    while top(b, TRAITS_OF) & _IMPLIED_END and top(b, NUMBER_OF) != name:
        if b.state[DEPTH] <= 1:
            return
        pop(b)


@copied_kernel
def index_in_scope(b: Builder, name: int, borders: int) -> int:
    """Index in the stack of the innermost element of this name before a border; -1 for none."""
    return -1 if b.state[COUNTS + name] == 0 else _search_scope(b, name, borders)


@inner_kernel
def _search_scope(b: Builder, name: int, borders: int) -> int:
    index = int(b.state[DEPTH]) - 1
    while index >= 0:
        row = b.stack[index]
        if row[NUMBER_OF] == name and row[SPACE_OF] == 0:
            return index
        if row[TRAITS_OF] & borders:
            return -1
        index -= 1
    return -1


@inner_kernel
def close_paragraph(b: Builder) -> None:
    """Close an open <p>, as block-level tags do."""
    if index_in_scope(b, _P, _SCOPE | _BUTTON_SCOPE) >= 0:
        pop_implied(b, _P)
        pop_until(b, _P)


@copied_kernel
def is_open(b: Builder, entry: int) -> bool:
    """Whether a formatting element is among the open elements."""
    index = int(b.stack[ACTIVES + entry, A_INDEX])
    return (
        index >= 0
        and index < b.state[DEPTH]
        and b.stack[index, UNIQUE_OF] == b.stack[ACTIVES + entry, A_UNIQUE]
    )


@inner_kernel
def forget(b: Builder, entry: int) -> None:
    """Take a formatting element off the list."""
    last = int(b.state[ACTIVE]) - 1
    for i in range(entry, last):
        for column in range(4):
            b.stack[ACTIVES + i, column] = b.stack[ACTIVES + i + 1, column]
    b.state[ACTIVE] = last


@inner_kernel
def add_marker(b: Builder) -> None:
    """What was opened before does not reach into this element."""
    if b.state[ACTIVE] == MAX_ACTIVE:
        forget(b, 0)
    b.stack[ACTIVES + b.state[ACTIVE], A_NAME] = MARKER
    b.stack[ACTIVES + b.state[ACTIVE], A_INDEX] = -1
    b.state[ACTIVE] += 1


@inner_kernel
def forget_to_marker(b: Builder) -> None:
    """Forget the formatting elements that were opened behind the last marker, and the marker."""
    num = int(b.state[ACTIVE])
    while num > 0:
        num -= 1
        if b.stack[ACTIVES + num, A_NAME] == MARKER:
            break
    b.state[ACTIVE] = num


@inner_kernel
def remember(b: Builder) -> None:
    """Put the innermost element on the list of formatting elements."""
    name = int(b.state[NAME])
    values = hash_of(b.source, int(b.state[FIRST]), int(b.state[TAG_END]))
    num_equal, first = 0, -1
    entry = int(b.state[ACTIVE]) - 1
    while entry >= 0 and b.stack[ACTIVES + entry, A_NAME] != MARKER:
        if (
            b.stack[ACTIVES + entry, A_NAME] == name
            and b.stack[ACTIVES + entry, A_VALUES] == values
        ):
            num_equal += 1
            first = entry
        entry -= 1
    if num_equal >= _MOST_EQUAL:
        forget(b, first)
    if b.state[ACTIVE] == MAX_ACTIVE:
        forget(b, 0)
    row = b.stack[ACTIVES + b.state[ACTIVE]]
    row[A_NAME], row[A_VALUES] = name, values
    row[A_INDEX], row[A_UNIQUE] = b.state[DEPTH] - 1, top(b, UNIQUE_OF)
    b.state[ACTIVE] += 1


@copied_kernel
def reopen(b: Builder) -> None:
    """Open formatting elements anew that the end of another element closed."""
    entry = int(b.state[ACTIVE]) - 1
    if entry < 0 or b.state[IS_PLAIN]:
        return
    if b.stack[ACTIVES + entry, A_NAME] != MARKER and not is_open(b, entry):
        _reopen(b, entry)


@inner_kernel
def _reopen(b: Builder, entry: int) -> None:
    while (
        entry > 0 and b.stack[ACTIVES + entry - 1, A_NAME] != MARKER and not is_open(b, entry - 1)
    ):
        entry -= 1
    for i in range(entry, int(b.state[ACTIVE])):
        insert_named(b, int(b.stack[ACTIVES + i, A_NAME]), SAME_MODE, True)
        b.stack[ACTIVES + i, A_INDEX] = b.state[DEPTH] - 1
        b.stack[ACTIVES + i, A_UNIQUE] = top(b, UNIQUE_OF)


@inner_kernel
def _part_formatting(b: Builder, index: int, entry: int) -> None:
    """End a formatting element that is open around a block which goes on: `<b><p>x</b>y</p>`.

    A parser would put it anew inside the block, around what is written already. Here its closing tag
    stands where it was: the two overlap with the block's.
    """
    row = b.stack[index]
    tag, name = int(row[TAG_OF]), int(row[NUMBER_OF])
    write_closing(b, tag, int(row[LENGTH_OF]), True)
    if name != _A and name != _B and name != _STRONG:
        b.tags[tag, TAG_NAME] = _WBR  # such a one holds no blocks
    b.state[count_cell(name, int(row[HASH_OF]))] -= 1
    for i in range(index, int(b.state[DEPTH]) - 1):
        for column in range(8):
            b.stack[i, column] = b.stack[i + 1, column]
    b.state[DEPTH] -= 1
    forget(b, entry)
    for i in range(int(b.state[ACTIVE])):
        if b.stack[ACTIVES + i, A_INDEX] > index:
            b.stack[ACTIVES + i, A_INDEX] -= 1
    if b.state[FOSTER_DEPTH] > index:
        b.state[FOSTER_DEPTH] -= 1


@inner_kernel
def close_other(b: Builder) -> None:
    """Close the innermost element with the name of the tag that was read, unless a special one holds it."""
    hashed = int(b.state[HASH])
    if b.state[count_cell(int(b.state[NAME]), hashed)] == 0:
        return
    index = int(b.state[DEPTH]) - 1
    while index > 0:
        if b.stack[index, HASH_OF] == hashed:
            pop_to(b, index)
            return
        if b.stack[index, TRAITS_OF] & _SPECIAL:
            return
        index -= 1


@inner_kernel
def close_formatting(b: Builder, name: int) -> None:
    """What the closing tag of a formatting element does (the standard's adoption agency)."""
    entry = int(b.state[ACTIVE]) - 1
    while (
        entry >= 0
        and b.stack[ACTIVES + entry, A_NAME] != MARKER
        and b.stack[ACTIVES + entry, A_NAME] != name
    ):
        entry -= 1
    if entry < 0 or b.stack[ACTIVES + entry, A_NAME] == MARKER:
        if name == b.state[NAME]:
            close_other(b)
        return
    if not is_open(b, entry):
        forget(b, entry)
        return
    index = int(b.stack[ACTIVES + entry, A_INDEX])
    holds_block = False
    for i in range(index + 1, int(b.state[DEPTH])):
        if b.stack[i, TRAITS_OF] & _SCOPE:
            return
        holds_block = holds_block or b.stack[i, TRAITS_OF] & _SPECIAL != 0
    if holds_block:
        _part_formatting(b, index, entry)
    else:
        pop_to(b, index)
        forget(b, entry)


@inner_kernel
def begin_foster(b: Builder) -> None:
    """What is written next stands in a table, but in no cell of it: it belongs before the table."""
    if b.state[FOSTER_DEPTH] < 0:
        b.state[FOSTER_DEPTH] = b.state[DEPTH]
        b.state[FOSTER_TAG], b.state[FOSTER_OUT] = b.state[TAGS], b.state[OUT]


@copied_kernel
def settle_foster(b: Builder) -> None:
    """Move what belongs before a table there, once it is written."""
    if b.state[FOSTER_DEPTH] >= 0 and b.state[DEPTH] <= b.state[FOSTER_DEPTH]:
        _settle(b)


@inner_kernel
def _settle(b: Builder) -> None:
    table = int(b.state[FOSTER_DEPTH]) - 1
    b.state[FOSTER_DEPTH] = -1
    while table > 0 and b.stack[table, NUMBER_OF] != _TABLE:
        table -= 1
    if table == 0:
        return
    first = int(b.stack[table, TAG_OF])
    begin = int(b.tags[first, START])
    _move(b, begin, int(b.state[FOSTER_OUT]), first, int(b.state[FOSTER_TAG]))


@inner_kernel
def _reverse_bytes(b: Builder, first: int, end: int) -> None:
    while first < end - 1:
        end -= 1
        byte = b.out[first]
        b.out[first] = b.out[end]
        b.out[end] = byte
        first += 1


@inner_kernel
def _reverse_tags(b: Builder, first: int, end: int) -> None:
    while first < end - 1:
        end -= 1
        for column in range(NUM_TAG_COLUMNS):
            value = b.tags[first, column]
            b.tags[first, column] = b.tags[end, column]
            b.tags[end, column] = value
        first += 1


@inner_kernel
def _shift_tags(b: Builder, first: int, end: int, by: int, num_bytes: int) -> None:
    """Note that these tags, and what they point to among themselves, move by so many tags and bytes."""
    for tag in range(first, end):
        b.tags[tag, START] += num_bytes
        b.tags[tag, END] += num_bytes
        if b.tags[tag, CLOSING] >= first:
            b.tags[tag, CLOSING] += by


@inner_kernel
def _move(b: Builder, begin: int, middle: int, first: int, half: int) -> None:
    """Exchange two neighbours: bytes from `begin` and from `middle` on, tags from `first` and from `half` on.

    Each part is reversed, then both together: no memory is asked for.
    """
    end, last = int(b.state[OUT]), int(b.state[TAGS])
    b.state[MOVED] += end - begin
    if b.state[MOVED] > MOST_MOVED or end == middle:
        return
    _shift_tags(b, first, half, last - half, end - middle)
    _shift_tags(b, half, last, first - half, begin - middle)
    _reverse_bytes(b, begin, middle)
    _reverse_bytes(b, middle, end)
    _reverse_bytes(b, begin, end)
    _reverse_tags(b, first, half)
    _reverse_tags(b, half, last)
    _reverse_tags(b, first, last)
    for index in range(int(b.state[DEPTH])):
        if b.stack[index, TAG_OF] >= first and b.stack[index, TAG_OF] < half:
            b.stack[index, TAG_OF] += last - half
