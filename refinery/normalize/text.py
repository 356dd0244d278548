"""Normalisation of one text: each step counted, idempotent, skipped by a gate where it has no work.

Order: repair -> compose -> codes -> emoji -> symbols -> homoglyphs -> width -> controls -> space.
Controls come late, since joiners and variation selectors belong to emoji sequences; space comes
last, since all before it may leave blanks. A step may make work for an earlier one (removing a
joiner lets two letters compose), so changed texts go round until nothing changes.
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
from refinery.normalize.emoji_words import replace_emoji
from refinery.normalize.homoglyphs import repair_homoglyphs
from refinery.normalize.symbols import replace_symbols
from schemas.errors import SettingsError

NORMALIZER_VERSION = 2
MAX_ROUNDS = 6

# UTF-8 read as a legacy encoding shows a lead character (Â to ô, ï) and then one of C1 or Latin-1's
# upper half; text without such a pair never reaches ftfy, which runs at 1 to 3 MB per second.
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

_WIDE_CODES = (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))
_WIDE = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]")
_NARROW = {code: code - 0xFEE0 for code in _WIDE_CODES}

# Zero-width, bidi and soft-hyphen characters, C0 and C1 controls, selectors, tags.
_CONTROLS = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ufe00-\ufe0f\U000e0000-\U000e01ef]"
)
# Joiners shape words of Arabic and Indic scripts; between two such letters they are spelling.
_SHAPING_JOINER = re.compile(
    "(?<=[\u0600-\u06ff\u0900-\u0dff])[\u200c\u200d](?=[\u0600-\u06ff\u0900-\u0dff])"
)
_SHAPED = re.compile("[\u0600-\u06ff\u0900-\u0dff][\u200c\u200d]")
_LINE_ENDS = re.compile("\r\n?|[\u0085\u2028\u2029]")
_ODD_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f]")
_LINE_EDGES = re.compile("[ \t]+(?=\n)")
_EMPTY_LINES = re.compile("\n{3,}")


@dataclass(frozen=True)
class Normalized:
    """Text, and how many places each step changed (steps without work are absent)."""

    text: str
    counters: dict[str, int]


def normalize_text(text: str, config: NormalizeConfig) -> Normalized:
    """Apply the steps that the configuration has on, until nothing changes."""
    counters: Counter[str] = Counter()
    for _ in range(MAX_ROUNDS):
        done = _round(text, config, counters)
        if done == text or (done.isascii() and text.isascii()):
            break
        text = done
    return Normalized(done, {name: count for name, count in counters.items() if count})


def _round(text: str, config: NormalizeConfig, counters: Counter[str]) -> str:
    if not text.isascii():
        text = _repair(text, config, counters)
    if config.codes:
        text, found = replace_codes(text)
        counters["codes"] += found
    if not text.isascii():
        text = _plain_text(text, config, counters)
    if config.remove_controls:
        text, found = _remove_controls(text)
        counters["controls"] += found
    return tidy_space(text) if config.tidy_space else text


def _repair(text: str, config: NormalizeConfig, counters: Counter[str]) -> str:
    if config.repair_encoding and _MOJIBAKE.search(text):
        repaired = ftfy.fix_text(text, _REPAIR)
        counters["repaired"] += repaired != text
        text = repaired
    if config.unicode_form and not unicodedata.is_normalized(config.unicode_form, text):
        text = unicodedata.normalize(config.unicode_form, text)
        counters["composed"] += 1
    return text


def _plain_text(text: str, config: NormalizeConfig, counters: Counter[str]) -> str:
    text, runs, repeats = replace_emoji(text, config.emoji, count_runs=config.emoji_counts)
    counters["emoji"] += runs
    counters["emoji_repeats"] += repeats
    if config.symbols:
        text, found = replace_symbols(text)
        counters["symbols"] += found
    if config.homoglyphs:
        text, found = repair_homoglyphs(text)
        counters["homoglyphs"] += found
    if config.fold_width and _WIDE.search(text):
        counters["width"] += len(_WIDE.findall(text))
        text = text.translate(_NARROW)
    if config.chinese is not None:
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
            "which is not installed; pip install opencc"
        ) from error
    return opencc.OpenCC(conversion)


def _remove_controls(text: str) -> tuple[str, int]:
    if not _CONTROLS.search(text):
        return text, 0
    if not _SHAPED.search(text):
        return _CONTROLS.subn("", text)
    kept = {match.start() for match in _SHAPING_JOINER.finditer(text)}
    removed = [m.start() for m in _CONTROLS.finditer(text) if m.start() not in kept]
    gone = set(removed)
    return "".join(c for place, c in enumerate(text) if place not in gone), len(removed)


def tidy_space(text: str) -> str:
    """One kind of blank and of line end, no blanks at line ends, at most one empty line in a row.

    Indentation at line starts is kept up to its width: code needs it.
    """
    text = _LINE_ENDS.sub("\n", text)
    if not text.isascii():
        text = _ODD_BLANKS.sub(" ", text)
    text = _LINE_EDGES.sub("", text)
    return _EMPTY_LINES.sub("\n\n", text).strip("\n").rstrip()
