"""Superscripts, subscripts, readings and quotation marks inside a line, as characters.

A browser shows by position or by a mark of its own what the bare text does not say: 10<sup>6</sup>
is not 106, and 1<sup>1</sup>/<sub>2</sub> is not 11/2. Where the bare text would say something else,
a mark is written; ordinals (2nd), formulas of chemistry (H2O) and the like stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from refinery.extract.inline import plain_text
from refinery.extract.tags import Tags

# So much of the markup before a tag is looked at for the characters that it stands behind.
BASE_MARKUP_CHARS = 200
MOST_UTF8_BYTES = 4
# A longer inside is a remark that is set small, no exponent.
MOST_SCRIPT_CHARS = 30

_MARKUP = re.compile(r"<[^>]*>")
_READING_BEFORE = re.compile(r"</rtc?>\s*(?:<rtc[^>]*>)?\s*$")
_READING_BEHIND = re.compile(r"\s*(?:</rtc>)?\s*<rtc?\b")
_INLINE = re.compile(
    r"</?(?:a|b|i|em|strong|var|span|font|small|big|u|cite|mark|nobr|bdi|abbr|dfn|code)\b[^<>]*>"
)
_MINUS = "-−–"
_NUMBER = re.compile(rf"[{_MINUS}+]?\d+(?:[.,]\d+)?")
_NEGATIVE = re.compile(rf"[{_MINUS}]\d+")
_NOTE = re.compile(r"\d{1,3}(?:[,–-] ?\d{1,3})*|[a-z]")
_NOTE_NUMBER = re.compile(r"[1-9]\d{0,2}(?:[,–-] ?\d{1,3})*")
# A word, the end of a sentence or of a quote, characters that are written without spaces: no power stands there.
_NOTE_BASE = re.compile(
    r"(?:[^\W\d_]{3}|[.,;:!?][\"'”’)]?|[\"”’»]|[\u3001-\u303f\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff\uff01-\uff5e])$"
)
_CENTS = re.compile(r"\d\d")
_PRICE = re.compile(r"[$€£¥₹₩￥]\s?\d[\d.,]*$")
# Letters that stand for numbers; others behind a digit are ordinals (2e, 1o, 3a, 4t).
_VARIABLES = frozenset("nmkijxyzpqNMKXYZ")
_ORDINALS = frozenset(
    "st nd rd th e er re me ère ème eme es o os a as ª º TM SM R C ® ™ de te le lle gle mo no".split()  # noqa: SIM905
)
_EXPRESSION = re.compile(rf"[\w.,()|/*·×+{_MINUS} ]+")
_OPERATOR = re.compile(rf"(?<=.)[/*·×+{_MINUS}](?=.)")
_UNITS = "[kcdmµμn]?m|in|ft|yd|mi|km|cm|mm|[kcm]?s"
_POWER_BASE = re.compile(
    rf"(?<![^\W\d_])(?:{_UNITS}|sin|cos|tan|cot|log|ln|sinh|cosh|tanh)$|[=+*/(−] ?[^\W\d_]{{2}}$"
)


def script_marks(tags: Tags, chosen: Iterable[tuple[int, str]]) -> dict[int, str]:
    """What is to be written at these opening tags and at their closing ones; by index of the tag.

    `chosen` gives the index and the name of each, in order; nothing is written where no mark is
    needed.
    """
    written: dict[int, str] = {}
    num_quotes, quote_ends = 0, [len(tags.firsts)]
    for tag, name in chosen:
        closing = int(tags.closings[tag])
        if name == "q":
            while quote_ends[-1] < tag:
                quote_ends.pop()
                num_quotes -= 1
            before, after = ("“", "”") if num_quotes % 2 == 0 else ("‘", "’")
            quote_ends.append(closing)
            num_quotes += 1
        elif name == "rt":
            before, after = _reading_marks(_before(tags, tag), _behind(tags, closing))
        else:
            markup = tags.inside_of(tag)
            if len(markup) > BASE_MARKUP_CHARS:
                continue
            line = _before(tags, tag)
            script = plain_text(_MARKUP.sub("", markup)).strip()
            is_note = "<a " in markup or (line.endswith(">") and _opens_link(tags, tag))
            mark = mark_superscript if name == "sup" else mark_subscript
            behind = _behind(tags, closing)[:8]
            before, after = mark(_base_of(line), script, behind=behind, is_note=is_note)
        if before:
            written[tag] = before
        if after:
            written[closing] = after
    return written


def _before(tags: Tags, tag: int) -> str:
    """So much of the markup before a tag as its meaning may depend on."""
    end = int(tags.firsts[tag])
    written = tags.markup[max(0, end - MOST_UTF8_BYTES * BASE_MARKUP_CHARS) : end]
    return written.tobytes().decode("utf-8", "replace")[-BASE_MARKUP_CHARS:]


def _behind(tags: Tags, tag: int) -> str:
    """As much of the markup behind a tag."""
    first = int(tags.lasts[tag]) + 1
    written = tags.markup[first : first + MOST_UTF8_BYTES * BASE_MARKUP_CHARS]
    return written.tobytes().decode("utf-8", "replace")[:BASE_MARKUP_CHARS]


def _reading_marks(before: str, behind: str) -> tuple[str, str]:
    """Brackets around a reading that has none of its own; readings side by side share them."""
    if before.endswith("</rp>"):
        return "", ""
    is_next = _READING_BEFORE.search(before)
    goes_on = _READING_BEHIND.match(behind)
    return " " if is_next else "(", "" if goes_on else ")"


def _opens_link(tags: Tags, tag: int) -> bool:
    """Whether a link opens directly before a tag."""
    return tag > 0 and tags.markup_of(tag - 1).startswith("<a ")


def _base_of(markup: str) -> str:
    """What is drawn on the line directly before a tag; a script there counts as a closed bracket."""
    bare = _INLINE.sub("", markup)
    if bare.endswith(("</sub>", "</sup>")):
        return ")"
    return plain_text(bare.rpartition(">")[2])


def mark_superscript(base: str, script: str, *, behind: str, is_note: bool) -> tuple[str, str]:
    """Marks before and behind a superscript, from the line before it and the markup behind it."""
    if not script or not base.strip() or len(script) > MOST_SCRIPT_CHARS:
        return "", ""
    if is_note:
        return ("[", "]") if _NOTE.fullmatch(script) else ("", "")
    if base[-1].isspace():
        return "", ""
    if behind.startswith(("/", "⁄", "&frasl;")) and script.isdigit():
        return (" ", "") if base[-1].isdigit() else ("", "")
    if _CENTS.fullmatch(script) and _PRICE.search(base):
        return ".", ""
    is_value = _ends_with_value(base)
    if _NUMBER.fullmatch(script):
        is_power = is_value or bool(_POWER_BASE.search(base) or _NEGATIVE.fullmatch(script))
        if is_power and not (base[-1] in ")]}" and _NOTE_BASE.search(base)):
            return "^", ""
    if _NOTE_NUMBER.fullmatch(script) and _NOTE_BASE.search(base):
        return "[", "]"
    if _NUMBER.fullmatch(script):
        return "", ""
    return _mark_expression("^", base, script) if is_value else ("", "")


def mark_subscript(base: str, script: str, *, behind: str, is_note: bool) -> tuple[str, str]:
    """Marks before and behind a subscript; chemistry (H2O), names (x1) and denominators have none."""
    if not script or not base or len(script) > MOST_SCRIPT_CHARS or is_note:
        return "", ""
    if script.isdigit():
        return ("_", "") if base[-1].isdigit() else ("", "")
    if not _is_single_letter(base):
        return "", ""
    if script.isalpha():
        return "_", ""
    return _mark_expression("_", base, script)


def _mark_expression(mark: str, base: str, script: str) -> tuple[str, str]:
    """Brackets around a script with an operator, so that where it ends is still seen."""
    if not _EXPRESSION.fullmatch(script):
        return "", ""
    if _OPERATOR.search(script):
        return f"{mark}(", ")"
    letters = script.lstrip(_MINUS + "+")
    if base[-1].isdigit() and letters not in _VARIABLES:
        return "", ""
    return ("", "") if letters in _ORDINALS else (mark, "")


def _is_single_letter(base: str) -> bool:
    return base[-1].isalpha() and not base[-2:-1].isalnum()


def _ends_with_value(base: str) -> bool:
    """Whether the line ends with what can have an exponent: a number, a variable, a closed bracket."""
    return base[-1].isdigit() or base[-1] in ")]}|′'" or _is_single_letter(base)
