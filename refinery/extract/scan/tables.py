"""Tags inside tables: which part each one opens, closes, or implies; what is moved before the table."""

from __future__ import annotations

from refinery.compiled import inner_kernel
from refinery.extract.scan.builder import (
    DEPTH,
    FORM,
    HOLDS_NOTHING,
    IN_CAPTION,
    IN_CELL,
    IN_COLUMNS,
    IN_ROW,
    IN_SECTION,
    IN_TABLE,
    NAME,
    NUMBER_OF,
    UNIQUE_OF,
    Builder,
)
from refinery.extract.scan.names import Trait, number_of
from refinery.extract.scan.stack import (
    add_marker,
    begin_foster,
    forget_to_marker,
    index_in_scope,
    insert_named,
    pop,
    pop_implied,
    pop_until,
    top,
)
from refinery.extract.scan.writing import write_opening

_TABLE, _TBODY, _THEAD, _TFOOT, _TR = map(number_of, ("table", "tbody", "thead", "tfoot", "tr"))
_TD, _TH, _CAPTION, _COL, _COLGROUP = map(number_of, ("td", "th", "caption", "col", "colgroup"))
_BODY, _HTML, _FORM, _INPUT = map(number_of, ("body", "html", "form", "input"))
_TABLE_SCOPE = int(Trait.TABLE_SCOPE)
# What a kernel did with a tag: all, or it is to be treated once more, or as in the body.
DONE, AGAIN, AS_BODY = range(3)


@inner_kernel
def is_section(name: int) -> bool:
    """Whether this is tbody, thead or tfoot."""
    return name == _TBODY or name == _THEAD or name == _TFOOT


@inner_kernel
def is_part(name: int) -> bool:
    """Whether a tag of this name opens a part of a table."""
    return (
        name == _TR
        or name == _TD
        or name == _TH
        or is_section(name)
        or name == _CAPTION
        or name == _COL
        or name == _COLGROUP
    )


@inner_kernel
def is_between(b: Builder) -> bool:
    """Whether the innermost element is a table or a part of one that is no cell."""
    name = top(b, NUMBER_OF)
    return name == _TABLE or name == _TR or is_section(name)


@inner_kernel
def _clear_to(b: Builder, mode: int) -> None:
    """Close what is open inside the table, the section or the row that this mode belongs to."""
    while b.state[DEPTH] > 1:
        name = top(b, NUMBER_OF)
        if (
            (mode == IN_TABLE and name == _TABLE)
            or (mode == IN_SECTION and is_section(name))
            or (mode == IN_ROW and name == _TR)
        ):
            return
        pop(b)


@inner_kernel
def _close_cell(b: Builder) -> None:
    pop_implied(b, 0)
    while b.state[DEPTH] > 1:
        name = top(b, NUMBER_OF)
        pop(b)
        if name == _TD or name == _TH:
            break
    forget_to_marker(b)


@inner_kernel
def _close_caption(b: Builder) -> None:
    pop_implied(b, 0)
    pop_until(b, _CAPTION)
    forget_to_marker(b)


@inner_kernel
def _start_in_table(b: Builder, name: int) -> int:
    """A part's tag directly in a table."""
    if name == _TABLE:
        pop_until(b, _TABLE)
        return AGAIN
    _clear_to(b, IN_TABLE)
    if name == _CAPTION:
        add_marker(b)
        insert_named(b, name, IN_CAPTION, False)
    elif name == _COLGROUP:
        insert_named(b, name, IN_COLUMNS, False)
    elif is_section(name):
        insert_named(b, name, IN_SECTION, False)
    elif name == _COL:
        insert_named(b, _COLGROUP, IN_COLUMNS, True)
        return AGAIN
    else:
        insert_named(b, _TBODY, IN_SECTION, True)
        return AGAIN
    return DONE


@inner_kernel
def _start_in_section(b: Builder, name: int) -> int:
    _clear_to(b, IN_SECTION)
    if name == _TR:
        insert_named(b, name, IN_ROW, False)
        return DONE
    if name == _TD or name == _TH:
        insert_named(b, _TR, IN_ROW, True)
        return AGAIN
    pop(b)
    return AGAIN


@inner_kernel
def _start_in_row(b: Builder, name: int) -> int:
    _clear_to(b, IN_ROW)
    if name == _TD or name == _TH:
        insert_named(b, name, IN_CELL, False)
        add_marker(b)
        return DONE
    pop(b)
    return AGAIN


@inner_kernel
def _start_other(b: Builder, name: int) -> int:
    """A tag between the parts of a table that belongs to none: it is moved before the table."""
    if name == _FORM:
        if b.state[FORM] < 0:
            insert_named(b, name, IN_TABLE, False)
            b.state[FORM] = top(b, UNIQUE_OF)
            pop(b)
        return DONE
    if is_between(b):
        begin_foster(b)
    return AS_BODY


@inner_kernel
def start_in_table(b: Builder, mode: int) -> int:
    """The tag that was read, where a part of a table holds the text."""
    name = int(b.state[NAME])
    part = is_part(name)
    if mode == IN_CELL or mode == IN_CAPTION:
        if not part:
            return AS_BODY
        if mode == IN_CELL:
            _close_cell(b)
        else:
            _close_caption(b)
        return AGAIN
    if mode == IN_COLUMNS:
        if name == _COL:
            write_opening(b, name, HOLDS_NOTHING, False)
            return DONE
        pop_until(b, _COLGROUP)
        return AGAIN
    if not part and name != _TABLE:
        return _start_other(b, name)
    if mode == IN_TABLE or name == _TABLE:
        return _start_in_table(b, name)
    if mode == IN_SECTION:
        return _start_in_section(b, name)
    return _start_in_row(b, name)


@inner_kernel
def _end_in_cell(b: Builder, name: int) -> int:
    if name == _TD or name == _TH:
        if index_in_scope(b, name, _TABLE_SCOPE) >= 0:
            _close_cell(b)
        return DONE
    if name == _TABLE or name == _TR or is_section(name):
        if index_in_scope(b, name, _TABLE_SCOPE) < 0:
            return DONE
        _close_cell(b)
        return AGAIN
    return DONE if is_part(name) or name == _BODY or name == _HTML else AS_BODY


@inner_kernel
def _end_in_caption(b: Builder, name: int) -> int:
    if name == _CAPTION or name == _TABLE:
        _close_caption(b)
        return AGAIN if name == _TABLE else DONE
    return DONE if is_part(name) or name == _BODY or name == _HTML else AS_BODY


@inner_kernel
def end_in_table(b: Builder, mode: int) -> int:
    """The closing tag that was read, where a part of a table holds the text."""
    name = int(b.state[NAME])
    if mode == IN_CELL:
        return _end_in_cell(b, name)
    if mode == IN_CAPTION:
        return _end_in_caption(b, name)
    if mode == IN_COLUMNS:
        if name == _COL:
            return DONE
        pop_until(b, _COLGROUP)
        return DONE if name == _COLGROUP else AGAIN
    closes_row = name == _TR or name == _TABLE or is_section(name)
    if closes_row and index_in_scope(b, name, _TABLE_SCOPE) >= 0:
        if mode == IN_TABLE:
            if name == _TABLE:
                pop_until(b, _TABLE)
            return DONE
        if mode == IN_SECTION and name == _TR:
            return DONE
        _clear_to(b, mode)
        closes_own = name == _TR if mode == IN_ROW else is_section(name)
        pop(b)
        return DONE if closes_own else AGAIN
    if closes_row or is_part(name) or name == _BODY or name == _HTML:
        return DONE
    if is_between(b):
        begin_foster(b)
    return AS_BODY
