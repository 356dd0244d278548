"""What each start and end tag does to the open elements: the rules of the HTML standard, 13.2.6.

Each kernel treats the tags of one state of the parser; names in comments are the standard's.
"""

from __future__ import annotations

from refinery.compiled import copied_kernel, inner_kernel
from refinery.extract.scan.builder import (
    DEPTH,
    FORM,
    HASH,
    HASH_OF,
    HOLDER,
    HOLDS_NOTHING,
    HTML,
    IN_TABLE,
    IS_EMPTY,
    IS_QUIRKS,
    MATH,
    NAME,
    NUMBER_OF,
    RULES,
    SPACE_OF,
    SVG,
    TRAITS,
    TRAITS_OF,
    UNIQUE_OF,
    Builder,
)
from refinery.extract.scan.names import Rule, Trait, number_of
from refinery.extract.scan.stack import (
    SAME_MODE,
    add_marker,
    close_formatting,
    close_other,
    close_paragraph,
    forget_to_marker,
    index_in_scope,
    insert,
    insert_named,
    leave,
    open_element,
    pop,
    pop_implied,
    pop_to,
    pop_until,
    remember,
    reopen,
    top,
)
from refinery.extract.scan.writing import write_opening

_P, _LI, _DD, _DT, _A, _NOBR = map(number_of, ("p", "li", "dd", "dt", "a", "nobr"))
_BUTTON, _FORM, _SELECT, _OPTION = map(number_of, ("button", "form", "select", "option"))
_OPTGROUP, _RUBY_TEXTS, _SVG, _BR, _IMG = map(number_of, ("optgroup", "rtc", "svg", "br", "img"))
_RUBY, _HR = map(number_of, ("ruby", "hr"))
_SCOPE, _LIST_SCOPE = int(Trait.SCOPE), int(Trait.LIST_SCOPE)
_SPECIAL, _SAME_ITEM, _HEADING = int(Trait.SPECIAL), int(Trait.SAME_ITEM), int(Trait.HEADING)
_BREAKOUT, _BUTTON_SCOPE = int(Trait.BREAKOUT), int(Trait.BUTTON_SCOPE)
_CLOSED_AS_BLOCK, _FORMATTING = int(Trait.CLOSED_AS_BLOCK), int(Trait.FORMATTING)
_BLOCK_RULE, _HEADING_RULE = int(Rule.BLOCK), int(Rule.HEADING)
_ITEM_RULE, _TERM_RULE, _FORM_RULE = int(Rule.LIST_ITEM), int(Rule.TERM), int(Rule.FORM)
_BUTTON_RULE, _LINK_RULE, _FORMAT_RULE = int(Rule.BUTTON), int(Rule.LINK), int(Rule.FORMATTING)
_OBJECT_RULE, _TABLE_RULE, _VOID_RULE = int(Rule.OBJECT), int(Rule.TABLE), int(Rule.VOID)
_RULER_RULE, _SELECT_RULE, _OPTION_RULE = int(Rule.RULER), int(Rule.SELECT), int(Rule.OPTION)
_RUBY_RULE, _READING_RULE, _FOREIGN_RULE = int(Rule.RUBY), int(Rule.READING), int(Rule.FOREIGN)
_PART_RULE, _IGNORED_RULE, _PRE_RULE = int(Rule.PART), int(Rule.IGNORED), int(Rule.PRE)
_P_RULE, _NOBR_RULE, _INPUT_RULE = int(Rule.PARAGRAPH), int(Rule.NOBR), int(Rule.INPUT)
_IMAGE_RULE = int(Rule.IMAGE)
_MI_NAMES = tuple(map(number_of, ("mi", "mo", "mn", "ms", "mtext")))
_HOLDER_NAMES = tuple(map(number_of, ("foreignobject", "desc", "title")))


@inner_kernel
def insert_void(b: Builder, name: int) -> None:
    """Write a tag that holds nothing."""
    write_opening(b, name, HOLDS_NOTHING, False)


@inner_kernel
def _start_item(b: Builder, rule: int) -> None:
    """Li, dd, dt: ends an open item of the same list."""
    index = int(b.state[DEPTH]) - 1
    while index > 0:
        name, traits = int(b.stack[index, NUMBER_OF]), int(b.stack[index, TRAITS_OF])
        is_item = name == _LI if rule == _ITEM_RULE else name == _DD or name == _DT
        if is_item and b.stack[index, SPACE_OF] == HTML:
            pop_implied(b, name)
            pop_until(b, name)
            break
        if traits & _SPECIAL and not traits & _SAME_ITEM:
            break
        index -= 1
    close_paragraph(b)
    insert(b)


@copied_kernel
def _start_block(b: Builder, rule: int) -> None:
    """Tags that close an open paragraph."""
    if rule == _FORM_RULE and b.state[FORM] >= 0:
        return
    close_paragraph(b)
    if rule == _HEADING_RULE and top(b, TRAITS_OF) & _HEADING:
        pop(b)
    if rule == _RULER_RULE:
        insert_void(b, _HR)
        return
    insert(b)
    if rule == _FORM_RULE:
        b.state[FORM] = top(b, UNIQUE_OF)


@copied_kernel
def _start_formatting(b: Builder, name: int, rule: int) -> None:
    """Links and formatting elements, which are opened anew behind the end of what holds them."""
    if rule == _LINK_RULE or (rule == _NOBR_RULE and index_in_scope(b, name, _SCOPE) >= 0):
        close_formatting(b, name)
    reopen(b)
    depth = b.state[DEPTH]
    insert(b)
    if b.state[DEPTH] > depth:
        remember(b)


@copied_kernel
def _start_in_line(b: Builder, name: int, rule: int) -> None:
    """Tags inside a line: formatting that an earlier end closed is opened anew before them."""
    if rule == _BUTTON_RULE and index_in_scope(b, name, _SCOPE) >= 0:
        pop_implied(b, 0)
        pop_until(b, name)
    if rule == _OPTION_RULE and top(b, NUMBER_OF) == _OPTION:
        pop(b)
    if rule == _SELECT_RULE and index_in_scope(b, name, _SCOPE) >= 0:
        pop_until(b, name)
        return
    if rule == _RUBY_RULE or rule == _READING_RULE:
        if index_in_scope(b, _RUBY, _SCOPE) >= 0:
            pop_implied(b, _RUBY_TEXTS if rule == _READING_RULE else 0)
        insert(b)
        return
    if rule == _INPUT_RULE and index_in_scope(b, _SELECT, _SCOPE) >= 0:
        pop_until(b, _SELECT)
    reopen(b)
    if rule == _VOID_RULE or rule == _IMAGE_RULE or rule == _INPUT_RULE:
        insert_void(b, _IMG if rule == _IMAGE_RULE else name)
        return
    insert(b)
    if rule == _OBJECT_RULE:
        add_marker(b)


@copied_kernel
def start_in_body(b: Builder) -> None:
    """The tag that was read, where no part of a table or drawing holds the text."""
    name = int(b.state[NAME])
    rule = int(b.table[RULES + name])
    if rule == _IGNORED_RULE or rule == _PART_RULE:
        return
    if rule == _ITEM_RULE or rule == _TERM_RULE:
        _start_item(b, rule)
    elif (
        rule == _BLOCK_RULE
        or rule == _HEADING_RULE
        or rule == _P_RULE
        or rule == _PRE_RULE
        or rule == _FORM_RULE
        or rule == _RULER_RULE
    ):
        _start_block(b, rule)
    elif rule == _LINK_RULE or rule == _FORMAT_RULE or rule == _NOBR_RULE:
        _start_formatting(b, name, rule)
    elif rule == _TABLE_RULE:
        if not b.state[IS_QUIRKS]:
            close_paragraph(b)
        insert_named(b, name, IN_TABLE, False)
    elif rule == _FOREIGN_RULE:
        reopen(b)
        _open_foreign(b, SVG if name == _SVG else MATH)
    else:
        _start_in_line(b, name, rule)


@inner_kernel
def _open_foreign(b: Builder, space: int) -> None:
    """Open an element of a drawing or a formula; some hold HTML again."""
    name = int(b.state[NAME])
    inner, traits = space, 0
    if name:
        is_holder = False
        if space == MATH:
            for holder in _MI_NAMES:
                is_holder = is_holder or name == holder
        else:
            for holder in _HOLDER_NAMES:
                is_holder = is_holder or name == holder
        if is_holder:
            inner, traits = HOLDER, _SPECIAL | _SCOPE
    if b.state[IS_EMPTY]:
        depth = int(b.state[DEPTH])
        open_element(b, name, False, SAME_MODE, inner, traits)
        pop_to(b, depth)
        return
    open_element(b, name, False, SAME_MODE, inner, traits)


@inner_kernel
def start_foreign(b: Builder) -> bool:
    """The tag that was read, inside a drawing or a formula; False where it ends that and is HTML."""
    name = int(b.state[NAME])
    if name and b.table[TRAITS + name] & _BREAKOUT:
        while b.state[DEPTH] > 1 and top(b, SPACE_OF) != HTML and top(b, SPACE_OF) != HOLDER:
            pop(b)
        return False
    _open_foreign(b, top(b, SPACE_OF))
    return True


@inner_kernel
def end_foreign(b: Builder) -> bool:
    """An end tag inside a drawing or a formula; False where HTML's rules are to treat it."""
    hashed = b.state[HASH]
    index = int(b.state[DEPTH]) - 1
    while index > 0 and b.stack[index, SPACE_OF] != HTML:
        if b.stack[index, HASH_OF] == hashed:
            pop_to(b, index)
            return True
        index -= 1
    return False


@inner_kernel
def _end_block(b: Builder, name: int) -> None:
    if index_in_scope(b, name, _SCOPE) >= 0:
        pop_implied(b, 0)
        pop_until(b, name)


@inner_kernel
def _end_object(b: Builder, name: int) -> None:
    if index_in_scope(b, name, _SCOPE) >= 0:
        pop_implied(b, 0)
        pop_until(b, name)
        forget_to_marker(b)


@inner_kernel
def _end_item(b: Builder, name: int, rule: int) -> None:
    borders = _SCOPE | _LIST_SCOPE if rule == _ITEM_RULE else _SCOPE
    if index_in_scope(b, name, borders) >= 0:
        pop_implied(b, name)
        pop_until(b, name)


@inner_kernel
def _end_form(b: Builder) -> None:
    """The closing tag of a form closes that form alone, wherever it stands."""
    unique = b.state[FORM]
    b.state[FORM] = -1
    index = index_in_scope(b, _FORM, _SCOPE)
    if unique < 0 or index < 0 or b.stack[index, UNIQUE_OF] != unique:
        return
    pop_implied(b, 0)
    if b.state[DEPTH] - 1 == index:
        pop(b)
    else:
        leave(b, index)


@inner_kernel
def _end_heading(b: Builder) -> None:
    """Any heading's closing tag closes any heading."""
    index = int(b.state[DEPTH]) - 1
    while index > 0 and not b.stack[index, TRAITS_OF] & _HEADING:
        if b.stack[index, TRAITS_OF] & _SCOPE:
            return
        index -= 1
    if index > 0:
        pop_to(b, index)


@copied_kernel
def end_in_body(b: Builder) -> None:
    """The closing tag that was read, where no part of a table or drawing holds the text."""
    name = int(b.state[NAME])
    rule, traits = int(b.table[RULES + name]), int(b.table[TRAITS + name])
    if traits & _CLOSED_AS_BLOCK or rule == _PRE_RULE:
        _end_block(b, name)
    elif traits & _FORMATTING:
        close_formatting(b, name)
    elif rule == _P_RULE:
        if index_in_scope(b, _P, _SCOPE | _BUTTON_SCOPE) < 0:
            insert_named(b, _P, SAME_MODE, True)
        pop_implied(b, _P)
        pop_until(b, _P)
    elif rule == _ITEM_RULE or rule == _TERM_RULE:
        _end_item(b, name, rule)
    elif rule == _FORM_RULE:
        _end_form(b)
    elif rule == _HEADING_RULE:
        _end_heading(b)
    elif rule == _OBJECT_RULE:
        _end_object(b, name)
    elif name == _BR:
        reopen(b)
        write_opening(b, _BR, HOLDS_NOTHING, True)
    elif rule != _IGNORED_RULE and rule != _PART_RULE:
        close_other(b)
