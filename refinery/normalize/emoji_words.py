"""Emoji to words in the document's language, runs of one emoji once.

Names are those of the Unicode CLDR as the `emoji` package carries them. One regular expression of
all sequences, longest first, is built per language and process.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Literal

import emoji

EmojiStyle = Literal["words", "shortcodes", "remove"]

# Characters that cannot start an emoji sequence make up nearly all text: a gate, not a rule.
GATE = re.compile("[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff\ufe0f\u20e3]")


@functools.cache
def _names(language: str) -> dict[str, str]:
    emoji.config.load_language(language)
    data: dict[str, dict[str, Any]] = emoji.EMOJI_DATA
    names = {}
    for sequence, entry in data.items():
        name = entry.get(language) or entry["en"]
        names[sequence] = str(name).strip(":").replace("_", " ").replace("-", " ").strip()
    return names


@functools.cache
def _pattern() -> re.Pattern[str]:
    # Digits, # and * are emoji only with a keycap; alone they are text.
    sequences = sorted((s for s in emoji.EMOJI_DATA if not s.isascii()), key=len, reverse=True)
    one = "|".join(map(re.escape, sequences))
    return re.compile(f"({one})(?:[\ufe0f\u200d]*\\1)*\ufe0f?")


def language_of(text: str) -> str:
    """Names in Chinese where a tenth of the letters are Han, else in English."""
    sample = text[:2000]
    han = sum("\u4e00" <= char <= "\u9fff" for char in sample)
    return "zh" if han * 10 >= max(1, sum(map(str.isalpha, sample))) else "en"


def replace_emoji(text: str, style: EmojiStyle) -> tuple[str, int]:
    """Text with every emoji run replaced, and the number of runs."""
    if not GATE.search(text):
        return text, 0
    language = language_of(text)
    names = _names(language)

    def replacement(found: re.Match[str]) -> str:
        sequence = found[1]
        if style == "remove":
            return ""
        if style == "shortcodes":
            return ":" + _names("en")[sequence].replace(" ", "_") + ":"
        return _spaced(names[sequence], found, language)

    return _pattern().subn(replacement, text)


def _spaced(name: str, found: re.Match[str], language: str) -> str:
    """Names stand apart from neighbouring letters; Chinese names go in brackets, as people type."""
    if language == "zh":
        return f"[{name}]"
    text = found.string
    before = found.start() > 0 and not text[found.start() - 1].isspace()
    after = found.end() < len(text) and text[found.end()].isalnum()
    return (" " if before else "") + name + (" " if after else "")
