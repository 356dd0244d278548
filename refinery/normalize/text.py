"""Normalisation of one text: each step counted, idempotent, skipped by a gate where it has no work.

Order: repair -> NFC -> emoji -> symbols -> width -> controls -> space. Controls come late, since
joiners and variation selectors belong to emoji sequences; space comes last, since all before it may
leave blanks.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

import ftfy

from refinery.normalize.config import NormalizeConfig
from refinery.normalize.emoji_words import replace_emoji

NORMALIZER_VERSION = 1

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

_WIDE = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]")
_NARROW = {
    code: code - 0xFEE0
    for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))
}

_MATH = re.compile("[\U0001d400-\U0001d7ff]")
_SYMBOL_MAP = {
    **dict.fromkeys("•◦‣⁃∙●○■□▪▫◆◇►▶➢➤❖", "-"),
    **dict.fromkeys("→⇒➔➜➡⟶", "->"),
    **dict.fromkeys("←⇐⟵", "<-"),
    **dict.fromkeys("✓✔☑", "[x]"),
    **dict.fromkeys("✗✘☒", "[ ]"),
    **dict.fromkeys("★☆✩✪✭✮✯⭐", "*"),
}
_SYMBOLS = re.compile("[" + "".join(map(re.escape, _SYMBOL_MAP)) + "]")
# Lines of list marks: the marks become dashes; boxes and shades draw nothing in plain text.
_BOXES = re.compile("[\u2500-\u259f]+")
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010fffd]")

_CONTROLS = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u180e\u200b-\u200f"
    "\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ufe00-\ufe0f\U000e0000-\U000e01ef]"
)
_LINE_ENDS = re.compile("\r\n?|[\u0085\u2028\u2029]")
_BLANKS = re.compile("[ \t\u00a0\u1680\u2000-\u200a\u202f\u205f]+")
_LINE_EDGES = re.compile("[ \t]*\n[ \t]*(?=\n)|[ \t]+(?=\n)")
_EMPTY_LINES = re.compile("\n{3,}")


@dataclass(frozen=True)
class Normalized:
    """Text, and how many places each step changed (steps without work are absent)."""

    text: str
    counters: dict[str, int]


def normalize_text(text: str, config: NormalizeConfig) -> Normalized:
    """Apply the steps that the configuration has on."""
    counters: Counter[str] = Counter()
    if config.repair_encoding and _MOJIBAKE.search(text):
        repaired = ftfy.fix_text(text, _REPAIR)
        counters["repaired"] = int(repaired != text)
        text = repaired
    if config.unicode_form and not text.isascii():
        composed = unicodedata.normalize(config.unicode_form, text)
        counters["composed"] = int(composed != text)
        text = composed
    if config.emoji != "keep" and not text.isascii():
        text, counters["emoji"] = replace_emoji(text, config.emoji)
    if config.symbols and not text.isascii():
        text, counters["symbols"] = _replace_symbols(text)
    if config.fold_width and _WIDE.search(text):
        counters["width"] = len(_WIDE.findall(text))
        text = text.translate(_NARROW)
    if config.remove_controls:
        text = _LINE_ENDS.sub("\n", text)
        text, counters["controls"] = _CONTROLS.subn("", text)
    if config.tidy_space:
        text = tidy_space(text)
    return Normalized(text, {name: count for name, count in counters.items() if count})


def _replace_symbols(text: str) -> tuple[str, int]:
    text, num_symbols = _SYMBOLS.subn(lambda found: _SYMBOL_MAP[found[0]], text)
    text, num_math = _MATH.subn(lambda found: unicodedata.normalize("NFKC", found[0]), text)
    text, num_boxes = _BOXES.subn(" ", text)
    text, num_private = _PRIVATE.subn("", text)
    return text, num_symbols + num_math + num_boxes + num_private


def tidy_space(text: str) -> str:
    """One kind of blank, no blanks at line ends, at most one empty line in a row.

    Indentation at line starts is kept up to its width: code needs it.
    """
    text = _LINE_ENDS.sub("\n", text)
    if "\u00a0" in text or not text.isascii():
        text = _BLANKS.sub(lambda found: found[0] if found[0].isascii() else " ", text)
    text = _LINE_EDGES.sub(lambda found: "\n" if "\n" in found[0] else "", text)
    return _EMPTY_LINES.sub("\n\n", text).strip("\n").rstrip()
