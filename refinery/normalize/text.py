"""Normalise a text in steps. Each is counted, idempotent, and skipped where it has no work.

Order: repair -> compose -> codes -> emoji -> symbols -> homoglyphs -> width -> controls -> space -> spelling.
Controls come late, since joiners and variation selectors belong to emoji sequences; space comes
late, since all steps before it may leave blanks; spelling is last. A step may make work for an
earlier one (removing a joiner lets two letters compose), so all steps are repeated until nothing
changes.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import Any

import ftfy

from refinery.normalize.codes import replace_codes
from refinery.normalize.config import NormalizeConfig
from refinery.normalize.emoji_words import may_be_replaced, replace_emoji
from refinery.normalize.gate import CONTROL_RANGES, WIDE_RANGES, CharGroup, Scan, char_class, scan
from refinery.normalize.homoglyphs import repair_homoglyphs
from refinery.normalize.spelling import correct_spelling
from refinery.normalize.symbols import replace_symbols
from schemas.errors import SettingsError

NORMALIZER_VERSION = 5
MAX_ROUNDS = 6

# UTF-8 that was read as a legacy encoding shows a lead character (Â to ô, ï) and behind it one of C1 or
# Latin-1's upper half. Text without such a pair never reaches ftfy, which reads 1 to 3 MB per second.
_MOJIBAKE = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152-\u0178\u02c6-\u02dc\u2013-\u203a\u20ac\u2122]"
)
_REPAIR = ftfy.TextFixerConfig(
    unescape_html=False,
    remove_terminal_escapes=False,
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    fix_line_breaks=False,
    fix_surrogates=False,
    remove_control_chars=False,
    normalization=None,
)

_NARROW = {code: code - 0xFEE0 for first, last in WIDE_RANGES for code in range(first, last + 1)}
_WIDE = re.compile(f"[{char_class(WIDE_RANGES)}]")
# Zero-width, bidi and soft-hyphen characters, C0 and C1 controls, selectors, tags.
_CONTROLS = re.compile(f"[{char_class(CONTROL_RANGES)}]")
# Joiners shape words of Arabic and Indic scripts; between two such letters they are spelling.
_SHAPING_JOINER = re.compile(
    "(?<=[\u0600-\u06ff\u0900-\u0dff])[\u200c\u200d](?=[\u0600-\u06ff\u0900-\u0dff])"
)
_SHAPED = re.compile("[\u0600-\u06ff\u0900-\u0dff][\u200c\u200d]")
_LINE_ENDS = re.compile("\r\n?|[\u0085\u2028\u2029]")
_ODD_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f]")
_EMPTY_LINES = re.compile("\n{3,}")


@dataclass(frozen=True)
class Normalized:
    """A text, and how many changes each step made; steps that changed nothing are absent."""

    text: str
    counters: dict[str, int]


def normalize_text(text: str, config: NormalizeConfig) -> Normalized:
    """Apply the steps that the configuration has on, until nothing changes."""
    counters: Counter[str] = Counter()
    if config.tidy_space and any(end in text for end in "\r\u0085\u2028\u2029"):
        text = _LINE_ENDS.sub("\n", text)  # first: some steps look where a line begins
    for _ in range(MAX_ROUNDS):
        was_ascii = text.isascii()
        text, has_changed = _round(text, config, counters)
        if not has_changed or (was_ascii and text.isascii()):
            break
    return Normalized(text, {name: count for name, count in counters.items() if count})


def _round(text: str, config: NormalizeConfig, counters: Counter[str]) -> tuple[str, bool]:
    """Take all steps once; returns also whether one changed a character that is no blank.

    Tidied blanks make no work for the other steps but repair, which treat all blanks alike.
    """
    before, seen = text, scan(text)
    groups = seen.groups
    if not text.isascii():
        text = _repair(text, groups, config, counters)
    if config.codes:
        text, num_changed = replace_codes(text, seen if text == before else scan(text))
        counters["codes"] += num_changed
    text = _plain_text(text, seen, config, counters)
    if config.remove_controls and CharGroup.CONTROL in groups:
        text, num_changed = _remove_controls(text)
        counters["controls"] += num_changed
    has_changed = text != before
    if config.tidy_space:
        tidied = tidy_space(text, has_odd_blanks=CharGroup.BLANK in groups)
        # Blanks of other kinds keep ftfy from seeing what is broken beside them.
        has_changed |= CharGroup.MOJIBAKE in groups and tidied != text
        text = tidied
    if config.spelling is not None:
        # Last, since it reads words between blanks.
        text, num_changed = correct_spelling(text, config.spelling)
        counters["spelling"] += num_changed
        has_changed |= num_changed > 0
    return text, has_changed


def _repair(text: str, groups: CharGroup, config: NormalizeConfig, counters: Counter[str]) -> str:
    if config.repair_encoding and CharGroup.MOJIBAKE in groups and _MOJIBAKE.search(text):
        # By line, as ftfy does it; of ASCII it repairs nothing, as it is set here.
        lines = text.split("\n")
        repaired = "\n".join(
            [line if line.isascii() else ftfy.fix_text(line, _REPAIR) for line in lines]
        )
        counters["repaired"] += repaired != text
        text = repaired
    if config.unicode_form and not unicodedata.is_normalized(config.unicode_form, text):
        text = unicodedata.normalize(config.unicode_form, text)
        counters["composed"] += 1
    return text


def _plain_text(text: str, seen: Scan, config: NormalizeConfig, counters: Counter[str]) -> str:
    groups = seen.groups
    if config.emoji != "keep" and seen.emoji and may_be_replaced(text, seen.emoji):
        text, runs, repeats = replace_emoji(text, config.emoji, count_runs=config.emoji_counts)
        counters["emoji"] += runs
        counters["emoji_repeats"] += repeats
    if config.symbols and seen.symbols:
        text, num_changed = replace_symbols(text, seen.symbols)
        counters["symbols"] += num_changed
    if config.homoglyphs and CharGroup.LOOKALIKE in groups:
        text, num_changed = repair_homoglyphs(text)
        counters["homoglyphs"] += num_changed
    if config.fold_width and CharGroup.WIDE in groups:
        counters["width"] += len(_WIDE.findall(text))
        text = text.translate(_NARROW)
    if config.chinese is not None and not text.isascii():
        converted = _converter(config.chinese).convert(text)
        counters["chinese"] += converted != text
        text = converted
    return text


@functools.cache
def _converter(conversion: str) -> Any:
    try:
        import opencc
    except ImportError as error:
        raise SettingsError(
            f"recipe.clean.normalize.chinese: '{conversion}' needs the package opencc, "
            "which is not installed; pip install opencc (extra `language`)"
        ) from error
    return opencc.OpenCC(conversion)


def _remove_controls(text: str) -> tuple[str, int]:
    if not _SHAPED.search(text):
        return _CONTROLS.subn("", text)
    kept = {match.start() for match in _SHAPING_JOINER.finditer(text)}
    removed = [m.start() for m in _CONTROLS.finditer(text) if m.start() not in kept]
    gone = set(removed)
    return "".join(c for offset, c in enumerate(text) if offset not in gone), len(removed)


def tidy_space(text: str, *, has_odd_blanks: bool = True) -> str:
    """Leave one kind of blank and of line end, no blanks at line ends, and single empty lines.

    Indentation stays as it is: code needs it.
    """
    if has_odd_blanks:
        text = _ODD_BLANKS.sub(" ", _LINE_ENDS.sub("\n", text))
    if " \n" in text or "\t\n" in text:
        # By line, not by pattern: a pattern is quadratic in long runs of blanks.
        text = "\n".join([line.rstrip(" \t") for line in text.split("\n")])
    if "\n\n\n" in text:
        text = _EMPTY_LINES.sub("\n\n", text)
    return text.strip("\n").rstrip()
