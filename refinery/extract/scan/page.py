"""Read a page once, from its bytes to tags and text: the tokenizer's loop and the page's phases."""

from __future__ import annotations

from refinery.compiled import bare_kernel, copied_kernel, inner_kernel
from refinery.extract.scan.builder import (
    AFTER_HEAD,
    DEPTH,
    FIRST,
    FOSTER_DEPTH,
    FULL,
    HEAD_END,
    HOLDER,
    HTML,
    IN_BODY,
    IN_CAPTION,
    IN_CELL,
    IN_COLUMNS,
    IN_FRAMES,
    IN_TEXT,
    INNER_SPAN,
    MAX_SPANS,
    META_SPAN,
    MODE_OF,
    NAME,
    NUM_ATTRIBUTES,
    PHASE,
    RULES,
    SCRIPT_SPAN,
    SIZE,
    SPACE_OF,
    SPANNED,
    SPANS,
    TITLE,
    TITLE_END,
    TRAITS,
    Builder,
    Bytes,
)
from refinery.extract.scan.names import Rule, Trait, number_of
from refinery.extract.scan.stack import (
    begin_foster,
    insert,
    insert_named,
    pop,
    pop_to,
    reopen,
    settle_foster,
    top,
)
from refinery.extract.scan.tables import (
    AGAIN,
    AS_BODY,
    end_in_table,
    is_between,
    start_in_table,
)
from refinery.extract.scan.tokens import comment_end, raw_end, read_tag, script_end
from refinery.extract.scan.tree import (
    end_foreign,
    end_in_body,
    start_foreign,
    start_in_body,
)
from refinery.extract.scan.values import is_blank
from refinery.extract.scan.writing import add_names, write_closing, write_text

_BODY, _HEAD, _HTML, _FRAMESET = map(number_of, ("body", "head", "html", "frameset"))
_SCRIPT, _TEMPLATE, _TITLE, _META = map(number_of, ("script", "template", "title", "meta"))
_IFRAME = number_of("iframe")
_NOSCRIPT, _PRE, _LISTING, _TEXTAREA = map(number_of, ("noscript", "pre", "listing", "textarea"))
_RAW, _RAW_TEXT, _ESCAPABLE = int(Rule.RAW), int(Rule.RAW_TEXT), int(Rule.ESCAPABLE)
_PLAIN_TEXT, _HEAD_TRAIT = int(Rule.PLAIN_TEXT), int(Trait.HEAD)
_LESS, _SLASH, _BANG, _QUESTION, _BRACKET, _LINE_END = 60, 47, 33, 63, 91, 10


@inner_kernel
def _begin_body(b: Builder, is_implied: bool) -> None:
    """Open the body, with the attributes of its tag or, where the page implies it, with none."""
    b.state[PHASE] = IN_BODY
    write_body = int(b.state[NUM_ATTRIBUTES])
    if is_implied:
        b.state[NUM_ATTRIBUTES] = 0
    insert_named(b, _BODY, IN_TEXT, is_implied)
    b.state[NUM_ATTRIBUTES] = write_body


@inner_kernel
def _note_span(b: Builder, kind: int, first: int, end: int) -> None:
    num = int(b.state[SPANS])
    if num < MAX_SPANS:
        row = b.stack[SPANNED + num]
        row[0], row[1], row[2] = kind, first, end
        b.state[SPANS] = num + 1


@inner_kernel
def _skip_closing(source: Bytes, at: int) -> int:
    """Offset behind the closing tag that begins here."""
    while at < len(source) and source[at] != 62:
        at += 1
    return min(at + 1, len(source))


@inner_kernel
def _read_raw(b: Builder, first: int, at: int, rule: int) -> int:
    """Read on behind the opening tag of an element without markup inside; returns where to go on."""
    name, size, word = int(b.state[NAME]), int(b.state[SIZE]), int(b.state[FIRST])
    if name == _SCRIPT:
        end = script_end(b.source, at, word)
    else:
        end = raw_end(b.source, at, word, size, name == _TEMPLATE)
    behind = _skip_closing(b.source, end)
    if rule == _RAW:
        if name == _SCRIPT:
            _note_span(b, SCRIPT_SPAN, first, behind)
        elif name == _TEMPLATE or name == _IFRAME:
            _note_span(b, INNER_SPAN, first, at)
        return behind
    if name == _TITLE and b.state[TITLE] < 0:
        b.state[TITLE], b.state[TITLE_END] = at, end
    if b.state[PHASE] == IN_BODY:
        if rule == _RAW_TEXT:
            reopen(b)
        depth = int(b.state[DEPTH])
        insert(b)
        if name != _TEXTAREA:
            write_text(b, at, end, rule == _RAW_TEXT)
        pop_to(b, depth)
    return behind


@copied_kernel
def _start(b: Builder) -> None:
    """Treat the start tag that was read, by what holds it."""
    if b.state[PHASE] != IN_BODY:
        _begin_body(b, b.state[NAME] != _BODY)
        if b.state[NAME] == _BODY:
            return
    space = top(b, SPACE_OF)
    if space != HTML and space != HOLDER and start_foreign(b):
        return
    if b.state[NAME] == _BODY:
        add_names(b, 0)
        return
    turn = AGAIN
    while turn == AGAIN:
        mode = top(b, MODE_OF)
        turn = AS_BODY if mode == IN_TEXT else start_in_table(b, mode)
    if turn == AS_BODY:
        start_in_body(b)


@copied_kernel
def _end(b: Builder) -> None:
    """Treat the closing tag that was read."""
    name = b.state[NAME]
    if b.state[PHASE] != IN_BODY:
        if name == _HEAD:
            b.state[PHASE] = AFTER_HEAD
        return
    if name == _BODY or name == _HTML:
        return
    if top(b, SPACE_OF) != HTML and end_foreign(b):
        return
    turn = AGAIN
    while turn == AGAIN:
        mode = top(b, MODE_OF)
        turn = AS_BODY if mode == IN_TEXT else end_in_table(b, mode)
    if turn == AS_BODY:
        end_in_body(b)


@copied_kernel
def _read_start(b: Builder, first: int, at: int) -> int:
    """Treat the start tag between these offsets; returns where to go on."""
    name = int(b.state[NAME])
    rule, is_before = int(b.table[RULES + name]), b.state[PHASE] != IN_BODY
    if name == _META and at <= b.state[HEAD_END]:
        _note_span(b, META_SPAN, first, at)
    if is_before:
        if name == _FRAMESET:
            b.state[PHASE] = IN_FRAMES
            return len(b.source)
        if b.table[TRAITS + name] & _HEAD_TRAIT and not (
            name == _NOSCRIPT and b.state[PHASE] == AFTER_HEAD
        ):
            return _read_raw(b, first, at, rule) if rule == _RAW or rule == _ESCAPABLE else at
    is_foreign = not is_before and top(b, SPACE_OF) != HTML and top(b, SPACE_OF) != HOLDER
    if rule == _RAW or (not is_foreign and (rule == _RAW_TEXT or rule == _ESCAPABLE)):
        if is_before:
            _begin_body(b, True)
        elif is_foreign and b.source[at - 2] == _SLASH:
            return at
        return _read_raw(b, first, at, rule)
    _start(b)
    settle_foster(b)
    if rule == _PLAIN_TEXT and not is_foreign:
        write_text(b, at, len(b.source), True)
        return len(b.source)
    # A line end directly behind <pre> is not drawn.
    if (name == _PRE or name == _LISTING) and at < len(b.source) and b.source[at] == _LINE_END:
        return at + 1
    return at


@copied_kernel
def _read_text(b: Builder, first: int, end: int) -> None:
    """Treat text: blanks do not begin a body, nor leave a table."""
    at = first
    while at < end and is_blank(int(b.source[at])):
        at += 1
    if b.state[PHASE] != IN_BODY:
        if at == end:
            return
        _begin_body(b, True)
        first = at
    if at < end:
        mode = top(b, MODE_OF)
        if mode == IN_COLUMNS:
            pop(b)
        if mode != IN_TEXT and mode != IN_CELL and mode != IN_CAPTION and is_between(b):
            begin_foster(b)
    is_text = at < end or b.state[FOSTER_DEPTH] >= 0 or top(b, MODE_OF) == IN_TEXT
    if is_text and (top(b, SPACE_OF) == HTML or top(b, SPACE_OF) == HOLDER):
        reopen(b)
    write_text(b, first, end, False)
    settle_foster(b)


@inner_kernel
def _read_mark(b: Builder, at: int) -> int:
    """Read a comment, a declaration or CDATA, which begins here; returns the offset behind it."""
    source = b.source
    is_foreign = b.state[PHASE] == IN_BODY and top(b, SPACE_OF) != HTML
    if not is_foreign or at + 9 >= len(source) or source[at + 2] != _BRACKET:
        return comment_end(source, at)
    end = at + 9
    while end + 2 < len(source):
        if source[end] == 93 and source[end + 1] == 93 and source[end + 2] == 62:
            break
        end += 1
    write_text(b, at + 9, min(end, len(source)), True)
    return min(end + 3, len(source))


@copied_kernel
def _text_end(source: Bytes, at: int) -> int:
    """Offset of the first "<" from here on that begins a tag or a comment; the page's end without one."""
    num = len(source)
    while at < num:
        if source[at] == _LESS and at + 1 < num:
            behind = int(source[at + 1])
            letter = behind | 32
            if (letter >= 97 and letter <= 122) or behind == _BANG or behind == _QUESTION:
                return at
            if behind == _SLASH and at + 2 < num:
                return at
        at += 1
    return num


@bare_kernel
def read_page(b: Builder) -> None:
    """Read all of a page; `state[FULL]` tells that it needs more room."""
    source, at = b.source, 0
    num = len(source)
    while at < num and b.state[FULL] == 0:
        end = _text_end(source, at)
        if end > at:
            _read_text(b, at, end)
            at = end
            continue
        behind = int(source[at + 1])
        if behind == _BANG or behind == _QUESTION:
            at = _read_mark(b, at)
            continue
        is_end = behind == _SLASH
        first = at + 1 + is_end
        letter = int(source[first]) | 32
        if letter < 97 or letter > 122:
            at = comment_end(source, at)  # "</3": a comment up to the next ">"
            continue
        next_at = read_tag(b, first)
        if next_at < 0:
            break
        if is_end:
            if b.state[NAME] == _HEAD and at < b.state[HEAD_END]:
                b.state[HEAD_END] = at
            _end(b)
            settle_foster(b)
            at = next_at
        else:
            at = _read_start(b, at, next_at)
    if b.state[PHASE] != IN_BODY and b.state[PHASE] != IN_FRAMES:
        _begin_body(b, True)
    if b.state[PHASE] == IN_BODY:
        pop_to(b, 1)
        write_closing(b, 0, 4, True)
