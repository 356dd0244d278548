"""Tell a second language by paragraphs, and Simplified from Traditional Chinese."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from refinery.language.config import LanguageConfig
from refinery.language.identify import Language, identify

Variety = Literal["Hans", "Hant", "mixed"]

# Documents below this confidence, or of two scripts, are labelled paragraph by paragraph.
SURE_SCORE = 0.9
SCRIPT_SHARE = 0.1
LEAST_PARAGRAPH_CHARS = 40
MOST_PARAGRAPHS = 60
LEAST_MARKED_CHARS = 4
CLEAR_FACTOR = 4
_SCRIPTS = tuple(
    re.compile(f"[{ranges}]+")
    for ranges in (
        "A-Za-z\u00c0-\u024f", "\u4e00-\u9fff", "\u3040-\u30ff", "\uac00-\ud7a3",
        "\u0400-\u04ff", "\u0600-\u06ff", "\u0370-\u03ff", "\u0900-\u097f", "\u0e00-\u0e7f",
    )
)  # fmt: skip
# Indices in _SCRIPTS: Han beside kana is one language, Japanese.
_HAN, _KANA = 1, 2


@dataclass(frozen=True)
class SecondLanguage:
    """A document's second language, and the share of the text read that is not in its first one."""

    label: str
    share: float


def second_languages(
    texts: Sequence[str], languages: Sequence[Language], config: LanguageConfig
) -> list[SecondLanguage | None]:
    """The second language of each document; None where nothing hints at one."""
    paragraphs: list[str] = []
    docs: list[int] = []
    for doc, (text, language) in enumerate(zip(texts, languages, strict=True)):
        sample = text[: 5 * config.sample_chars]
        if language.score < SURE_SCORE or _has_two_scripts(sample[: config.sample_chars]):
            long = [p for p in sample.split("\n") if len(p) >= LEAST_PARAGRAPH_CHARS]
            paragraphs += long[:MOST_PARAGRAPHS]
            docs += [doc] * len(long[:MOST_PARAGRAPHS])
    chars: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for doc, paragraph, named in zip(docs, paragraphs, identify(paragraphs, config), strict=True):
        if named.score >= 0.5:  # an unsure paragraph says nothing of a second language
            chars[doc][named.label] += len(paragraph)
    return [_second(chars[doc], languages[doc].label) for doc in range(len(texts))]


def _second(chars: dict[str, int], first: str) -> SecondLanguage | None:
    others = {label: count for label, count in chars.items() if label != first}
    if not others:
        return None
    label = max(sorted(others), key=lambda name: others[name])
    return SecondLanguage(label, sum(others.values()) / sum(chars.values()))


def _has_two_scripts(sample: str) -> bool:
    if sample.isascii():
        return False
    counts = [sum(map(len, script.findall(sample))) for script in _SCRIPTS]
    if counts[_KANA]:
        counts[_HAN], counts[_KANA] = counts[_HAN] + counts[_KANA], 0
    least = SCRIPT_SHARE * sum(counts)
    return sum(count > least for count in counts) > 1


def chinese_variety(text: str, config: LanguageConfig) -> Variety | None:
    """Tell Simplified ("Hans") from Traditional ("Hant") by characters that only one of them writes.

    None where too few of them occur. A character is only Simplified where GB 2312 has it and Big5
    has not, and only Traditional the other way round: so there is no list to keep.
    """
    simplified, traditional = _marked_chars()
    sample = text[: config.sample_chars]
    num_simplified = sum(char in simplified for char in sample)
    num_traditional = sum(char in traditional for char in sample)
    if num_simplified + num_traditional < LEAST_MARKED_CHARS:
        return None
    if num_simplified >= CLEAR_FACTOR * num_traditional:
        return "Hans"
    return "Hant" if num_traditional >= CLEAR_FACTOR * num_simplified else "mixed"


@functools.cache
def _marked_chars() -> tuple[frozenset[str], frozenset[str]]:
    han = [chr(point) for point in range(0x4E00, 0xA000)]
    simplified = {char for char in han if _encodes(char, "gb2312")}
    traditional = {char for char in han if _encodes(char, "big5")}
    return frozenset(simplified - traditional), frozenset(traditional - simplified)


def _encodes(char: str, codec: str) -> bool:
    try:
        char.encode(codec)
    except UnicodeEncodeError:
        return False
    return True
