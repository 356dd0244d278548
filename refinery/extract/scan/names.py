"""What the tree builder does at each tag, by name: tables for its kernels.

The rules are those of the HTML standard, section 13.2.6 (tree construction); `Rule` groups the
names that it treats alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, IntFlag
from html.entities import html5
from typing import NamedTuple


class Rule(IntEnum):
    """How a start tag in the body is treated; numbers are known to the kernels."""

    OTHER = 0  # inserted as it stands
    BLOCK = 1  # closes an open <p>
    HEADING = 2
    LIST_ITEM = 3
    TERM = 4  # dd, dt
    FORM = 5
    BUTTON = 6
    LINK = 7
    FORMATTING = 8
    OBJECT = 9  # applet, marquee, object: formatting does not reach into them
    TABLE = 10
    VOID = 11  # inserted without an inside
    RULER = 12  # hr
    RAW = 13  # its inside is no markup, and no text of the page
    RAW_TEXT = 14  # its inside is no markup, but text
    ESCAPABLE = 15  # title, textarea: no markup, but character references
    SELECT = 16
    OPTION = 17
    RUBY = 18  # rb, rtc
    READING = 19  # rp, rt
    FOREIGN = 20  # math, svg
    PART = 21  # part of a table
    IGNORED = 22  # html, head, body, frame, frameset
    PLAIN_TEXT = 23
    PRE = 24  # pre, listing
    PARAGRAPH = 25
    NOBR = 26
    INPUT = 27
    IMAGE = 28  # becomes img


class Trait(IntFlag):
    """What else the builder asks of a name."""

    SPECIAL = 1  # an end tag of another name does not reach beyond it
    IMPLIED_END = 2  # closed by the end of what holds it
    SCOPE = 4  # end tags inside do not reach out of it
    LIST_SCOPE = 8
    TABLE_SCOPE = 16
    FORMATTING = 32
    BREAKOUT = 64  # ends a drawing or a formula that holds it
    HEAD = 128  # belongs to the head, where no body has begun
    HEADING = 256
    TEXT_POINT = 512  # holds HTML inside MathML or SVG
    CLOSED_AS_BLOCK = 1024  # its end tag closes all that is open inside
    SAME_ITEM = 2048  # address, div, p: a new item of a list ends the one beyond them
    BUTTON_SCOPE = 4096


_BY_RULE = {
    # Names that `tag_kinds.py` tells apart.
    Rule.OTHER: "audio canvas datalist label legend map q sub sup text video",
    Rule.BLOCK: "address article aside blockquote center details dialog dir div dl fieldset "
    "figcaption figure footer header hgroup main menu nav ol search section summary ul",
    Rule.PARAGRAPH: "p",
    Rule.HEADING: "h1 h2 h3 h4 h5 h6",
    Rule.LIST_ITEM: "li",
    Rule.TERM: "dd dt",
    Rule.FORM: "form",
    Rule.BUTTON: "button",
    Rule.LINK: "a",
    Rule.FORMATTING: "b big code em font i s small strike strong tt u",
    Rule.NOBR: "nobr",
    Rule.OBJECT: "applet marquee object",
    Rule.TABLE: "table",
    Rule.VOID: "area base basefont bgsound br embed keygen link meta param source track wbr img",
    Rule.INPUT: "input",
    Rule.RULER: "hr",
    Rule.RAW: "script style template iframe noembed noframes",
    Rule.RAW_TEXT: "xmp",
    Rule.ESCAPABLE: "title textarea",
    Rule.SELECT: "select",
    Rule.OPTION: "option optgroup",
    Rule.RUBY: "rb rtc",
    Rule.READING: "rp rt",
    Rule.FOREIGN: "math svg",
    Rule.PART: "caption col colgroup tbody td tfoot th thead tr",
    Rule.IGNORED: "html head body frame frameset",
    Rule.PLAIN_TEXT: "plaintext",
    Rule.PRE: "pre listing",
    Rule.IMAGE: "image",
}
_BY_TRAIT = {
    Trait.SPECIAL: "address applet area article aside base basefont bgsound blockquote body br button "
    "caption center col colgroup dd details dir div dl dt embed fieldset figcaption figure footer "
    "form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html iframe img input keygen li "
    "link listing main marquee menu meta nav noembed noframes noscript object ol p param plaintext "
    "pre script search section select source style summary table tbody td template textarea tfoot "
    "th thead title tr track ul wbr xmp mi mo mn ms mtext annotation-xml foreignobject desc",
    Trait.IMPLIED_END: "dd dt li optgroup option p rb rp rt rtc",
    Trait.SCOPE: "applet caption html table td th marquee object template select mi mo mn ms mtext "
    "annotation-xml foreignobject desc body",
    Trait.LIST_SCOPE: "ol ul",
    Trait.TABLE_SCOPE: "html table template body",
    Trait.FORMATTING: "a b big code em font i nobr s small strike strong tt u",
    Trait.BREAKOUT: "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 "
    "head hr i img li listing menu meta nobr ol p pre ruby s small span strong strike sub sup table "
    "tt u ul var",
    Trait.HEAD: "base basefont bgsound link meta title noscript noframes style script template head html",
    Trait.HEADING: "h1 h2 h3 h4 h5 h6",
    Trait.TEXT_POINT: "mi mo mn ms mtext annotation-xml foreignobject desc title",
    Trait.CLOSED_AS_BLOCK: "address article aside blockquote button center details dialog dir div dl "
    "fieldset figcaption figure footer header hgroup listing main menu nav ol pre search section "
    "summary ul select",
    Trait.SAME_ITEM: "address div p",
    Trait.BUTTON_SCOPE: "button",
}
_RULE_OF = {name: rule for rule, names in _BY_RULE.items() for name in names.split()}
_TRAITS_OF: dict[str, Trait] = {}
for _trait, _names in _BY_TRAIT.items():
    for _name in _names.split():
        _TRAITS_OF[_name] = _TRAITS_OF.get(_name, Trait(0)) | _trait

# Attributes that are written, by their index; all others say nothing about the text.
ATTRIBUTES = (
    "class", "id", "role", "itemprop", "style", "hidden", "aria-hidden", "start", "value", "colspan",
    "rowspan", "alt", "title", "src", "encoding", "alttext", "data-tex", "data-latex", "data-x",
    "aria-level", "type", "reversed", "checked", "disabled", "selected", "open", "close", "linethickness",
)  # fmt: skip

BUILDER_NAMES = tuple(sorted({*_RULE_OF, *_TRAITS_OF}))
_OFFSET, _PRIME = 0x4BF29CE484222325, 0x100000001B3


def hash_name(name: str) -> int:
    """FNV-1a of a name in small letters, as the kernels compute it: 63 bits, so that no number is negative."""
    value = _OFFSET
    for byte in name.encode():
        value = (value ^ byte) * _PRIME % 2**63
    return value


def slots_of(names: Sequence[str], num_slots: int) -> list[int]:
    """By slot the number, from 1, of the name whose hash leads there; a taken slot leads to the next."""
    slots = [0] * num_slots
    for number, name in enumerate(names, 1):
        slot = hash_name(name) % num_slots
        while slots[slot]:
            slot = (slot + 1) % num_slots
        slots[slot] = number
    return slots


def rules_of(names: Sequence[str]) -> tuple[list[int], list[int]]:
    """`Rule` and `Trait` of each name, by number from 1; 0 is any other name."""
    rules = [int(_RULE_OF.get(name, Rule.OTHER)) for name in names]
    return [0, *rules], [0, *(int(_TRAITS_OF.get(name, 0)) for name in names)]


class References(NamedTuple):
    """Character references by name, without "&" and ";": their values, and whether ";" may be missing.

    `windows` are the characters that the numbers 128 to 159 mean.
    """

    names: list[str]
    values: list[bytes]
    is_legacy: list[bool]
    windows: list[int]


def read_references() -> References:
    """The named references of the HTML standard, from Python's own list."""
    names = sorted({name.rstrip(";") for name in html5})
    values = [html5[f"{name};"].encode() for name in names]
    meant = [bytes([code]).decode("cp1252", "replace") for code in range(128, 160)]
    windows = [128 + i if sign == "\ufffd" else ord(sign) for i, sign in enumerate(meant)]
    return References(names, values, [name in html5 for name in names], windows)


def number_of(name: str) -> int:
    """Number of a name that the builder knows."""
    return BUILDER_NAMES.index(name) + 1


def attribute_of(name: str) -> int:
    """Number of an attribute that is written."""
    return ATTRIBUTES.index(name) + 1
