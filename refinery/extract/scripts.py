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
# A longer inside is a remark that is set small, no exponent.
MOST_SCRIPT_CHARS = 30
MARKED_NAMES = ("sup", "sub", "rt", "q")

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
    text, written = tags.text, {}
    num_quotes, quote_ends = 0, [len(tags.starts)]
    for tag, name in chosen:
        closing = int(tags.closings[tag])
        start, inside = int(tags.starts[tag]), int(tags.ends[tag]) + 1
        if name == "q":
            while quote_ends[-1] < tag:
                quote_ends.pop()
                num_quotes -= 1
            before, after = ("“", "”") if num_quotes % 2 == 0 else ("‘", "’")
            quote_ends.append(closing)
            num_quotes += 1
        elif name == "rt":
            before, after = _reading_marks(text, start, int(tags.ends[closing]) + 1)
        else:
            end = int(tags.starts[closing])
            if end - inside > BASE_MARKUP_CHARS:
                continue
            markup = text[inside:end]
            base = _base_of(text[max(0, start - BASE_MARKUP_CHARS) : start])
            script = plain_text(_MARKUP.sub("", markup)).strip()
            behind = text[int(tags.ends[closing]) + 1 :][:8]
            is_note = "<a " in markup or (text.endswith(">", 0, start) and _opens_link(text, start))
            mark = mark_superscript if name == "sup" else mark_subscript
            before, after = mark(base, script, behind=behind, is_note=is_note)
        if before:
            written[tag] = before
        if after:
            written[closing] = after
    return written


def _reading_marks(text: str, start: int, end: int) -> tuple[str, str]:
    """Brackets around a reading that has none of its own; readings side by side share them."""
    if text.endswith("</rp>", 0, start):
        return "", ""
    is_next = _READING_BEFORE.search(text[max(0, start - BASE_MARKUP_CHARS) : start])
    goes_on = _READING_BEHIND.match(text[end : end + BASE_MARKUP_CHARS])
    return " " if is_next else "(", "" if goes_on else ")"


def _opens_link(text: str, start: int) -> bool:
    """Whether the tag that ends at this offset opens a link."""
    return text.startswith("<a ", text.rfind("<", 0, start))


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
