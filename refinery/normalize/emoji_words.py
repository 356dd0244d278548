"""Write emoji as words in the document's language; a run of one emoji gives its name once.

Names are those of Unicode's CLDR as the `emoji` package has them, Chinese ones for Chinese text.
Sequences of code points follow the grammar of UTS #51 (keycaps, flags, tag sequences, joiners, skin
tones) and are looked up without variation selectors. An unknown sequence is named by its parts.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import emoji

from refinery.normalize.config import EmojiStyle
from refinery.normalize.gate import EMOJI_RANGES, char_class
from refinery.normalize.symbols import SYMBOLS

# Characters that are text unless a variation selector asks for the emoji.
TEXT_FIRST = frozenset("©®™‼⁉ℹⓂ〰〽㊗㊙◻◼↔↕↖↗↘↙↩↪♀♂⚕♾") | SYMBOLS
# How many there are is what a rating says.
RATINGS = frozenset("⭐🌟")
VS15, VS16, JOINER = "\ufe0e", "\ufe0f", "\u200d"
_TONES = "\U0001f3fb-\U0001f3ff"
_TAGS = "\U000e0020-\U000e007f"
_FLAG_LETTERS = "\U0001f1e6-\U0001f1ff"


_START = f"[{char_class(EMOJI_RANGES)}]"
_ONE = f"{_START}[{VS15}{VS16}]?[{_TONES}]?[{_TAGS}]*"
_SEQUENCE = f"[0-9#*]{VS16}?\u20e3|[{_FLAG_LETTERS}]{{2}}|{_ONE}(?:{JOINER}{_ONE})*"
_RUN = re.compile(f"({_SEQUENCE})(?:[{VS16}{JOINER}]*\\1)*[{VS16}{JOINER}]*")


@functools.cache
def names(language: str) -> dict[str, str]:
    """Names by sequence, without variation selectors; the language is "en" or "zh"."""
    emoji.config.load_language(language)
    data: dict[str, dict[str, Any]] = emoji.EMOJI_DATA
    by_sequence: dict[str, str] = {}
    # Several spellings of one sequence may carry different names: the fully qualified one's wins.
    for sequence, entry in sorted(data.items(), key=lambda item: item[1]["status"]):
        name = str(entry.get(language) or entry["en"])
        bare = sequence.replace(VS16, "")
        by_sequence.setdefault(bare, re.sub("[-_]", " ", name.strip(":")).strip())
    return by_sequence


def language_of(text: str) -> str:
    """Language for names: "zh" where a tenth of the letters or more are Han, else "en"."""
    sample = text[:2000]
    han = len(_HAN.findall(sample))
    return "zh" if han and han * 10 >= sum(map(str.isalpha, sample)) else "en"


_HAN = re.compile("[\u4e00-\u9fff]")


def name_of(sequence: str, language: str) -> str | None:
    """The name of a sequence; None where it stands for a character of text, not for an emoji."""
    if sequence[0] in TEXT_FIRST and not sequence[1:].startswith(VS16):
        return None
    if sequence[1:].startswith(VS15):
        return None
    known = names(language)
    bare = sequence.replace(VS16, "").replace(VS15, "")
    if bare in known:
        return known[bare]
    parts = [known.get(part) or known.get(part[0]) for part in bare.split(JOINER) if part]
    return " ".join(part for part in parts if part) or None


def may_be_replaced(text: str, among: str) -> bool:
    """Whether the text, which has these different characters of emoji, has one that is no character of text there."""
    return VS16 in text or not TEXT_FIRST.issuperset(among)


def replace_emoji(
    text: str, style: EmojiStyle, *, count_runs: bool = False
) -> tuple[str, int, int]:
    """The text with every run replaced, the number of runs, and that of repeats left out."""
    language = language_of(text)
    runs = repeats = 0

    def replacement(match: re.Match[str]) -> str:
        nonlocal runs, repeats
        name = name_of(match[1], language)
        if name is None:
            return match[0]
        times = max(1, match[0].count(match[1]))
        runs += 1
        repeats += times - 1
        if style == "remove":
            return ""
        if style == "shortcodes":
            code = name_of(match[1], "en") or name
            return ":" + code.replace(" ", "_") + ":"
        if times > 1 and (count_runs or match[1][0] in RATINGS):
            name = f"{name} x{times}"
        return spaced(name, match, language)

    return _RUN.sub(replacement, text), runs, repeats


def spaced(name: str, match: re.Match[str], language: str) -> str:
    """Set a name apart from its neighbours by blanks; Chinese names stand in brackets, as people type."""
    if language == "zh":
        return f"[{name}]"
    text = match.string
    before = match.start() > 0 and not text[match.start() - 1].isspace()
    after = match.end() < len(text) and not text[match.end()].isspace()
    joined = after and text[match.end()] in ".,;:!?)。，！？"
    return (" " if before else "") + name + (" " if after and not joined else "")
