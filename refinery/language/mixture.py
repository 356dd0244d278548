"""Read a text's languages by its parts: by writing system, and where that is one, by paragraphs."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from refinery.language.config import LanguageConfig
from refinery.language.identify import SURE_SCORE, UNKNOWN, Language, identify
from refinery.language.scripts import encodes, lines_by_system, system_weights

Variety = Literal["Hans", "Hant", "mixed"]

# A writing system with less of the text than this makes no part of its own.
SCRIPT_SHARE = 0.1
LEAST_PARAGRAPH_CHARS = 40
MOST_PARAGRAPHS = 60
# A part of lower confidence says nothing of a language.
SAYS_SOMETHING = 0.5
# Two languages that hold so much of the paragraphs together make a text of two languages; beyond
# that, many labels are the sign of a text that the model cannot read.
CLEAR_SHARE = 0.8
LEAST_MARKED_CHARS = 4
CLEAR_FACTOR = 4


@dataclass(frozen=True)
class SecondLanguage:
    """A document's second language, and the share of the text read that is not in its first one.

    Shares are by letters; a Han character counts as four of them, kana and Hangul as two.
    """

    label: str
    share: float


@dataclass(frozen=True)
class Reading:
    """The languages of a document.

    Attributes:
        first: The language of most of it, with the confidence for that part.
        second: None where nothing hints at one.
        part: The lines in the first language's writing system, where other lines are in others.
    """

    first: Language
    second: SecondLanguage | None = None
    part: str | None = None


def read_languages(texts: Sequence[str], config: LanguageConfig) -> list[Reading]:
    """The languages of each document, which does not depend on its neighbours.

    A page in English and Chinese is no uncertain English: each part is judged by itself, the label is
    that of the larger one.
    """
    readings = [Reading(language) for language in identify(list(texts), config)]
    for doc, parts in _parts_by_system(texts).items():
        readings[doc] = _read_parts(parts, config)
    unsure = [
        doc
        for doc, reading in enumerate(readings)
        if reading.part is None and reading.first.score < SURE_SCORE
    ]
    for doc, chars in zip(unsure, _paragraphs([texts[d] for d in unsure], config), strict=True):
        readings[doc] = _read_paragraphs(readings[doc].first, chars)
    return readings


def _parts_by_system(texts: Sequence[str]) -> dict[int, dict[str, str]]:
    """The parts of documents that are in several writing systems, each in lines of its own."""
    if not texts:
        return {}
    weights = system_weights(list(texts))
    least = SCRIPT_SHARE * weights.sum(axis=1, keepdims=True)
    found = {}
    for doc in ((weights > least).sum(axis=1) > 1).nonzero()[0].tolist():
        lines = lines_by_system(texts[doc])
        parts = {system: "\n".join(own) for system, own in sorted(lines.items())}
        size = system_weights(list(parts.values())).sum(axis=1)
        kept = [
            part for part, one in zip(parts, size, strict=True) if one > SCRIPT_SHARE * size.sum()
        ]
        # Words of another language inside the lines of one (terms, names, code) are no part.
        if len(kept) > 1:
            found[doc] = {system: parts[system] for system in kept}
    return found


def _read_parts(parts: Mapping[str, str], config: LanguageConfig) -> Reading:
    texts = list(parts.values())
    languages = identify(texts, config)
    size = system_weights(texts).sum(axis=1)
    order = sorted(range(len(texts)), key=lambda one: (-size[one], languages[one].label))
    first, second = order[:2]
    other = languages[second]
    label = other.label if other.score >= SAYS_SOMETHING else UNKNOWN
    share = float(1 - size[first] / size.sum())
    return Reading(languages[first], SecondLanguage(label, share), texts[first])


def _paragraphs(
    texts: Sequence[str], config: LanguageConfig
) -> list[dict[str, list[tuple[int, float]]]]:
    """By label of each text: (characters, confidence) of its long paragraphs; unsure ones say nothing."""
    paragraphs: list[str] = []
    docs: list[int] = []
    for doc, text in enumerate(texts):
        lines = text[: 5 * config.sample_chars].split("\n")
        long = [line for line in lines if len(line) >= LEAST_PARAGRAPH_CHARS][:MOST_PARAGRAPHS]
        paragraphs += long
        docs += [doc] * len(long)
    found: list[dict[str, list[tuple[int, float]]]] = [defaultdict(list) for _ in texts]
    for doc, paragraph, named in zip(docs, paragraphs, identify(paragraphs, config), strict=True):
        if named.score >= SAYS_SOMETHING:
            found[doc][named.label].append((len(paragraph), named.score))
    return found


def _read_paragraphs(whole: Language, paragraphs: Mapping[str, list[tuple[int, float]]]) -> Reading:
    """The reading of a text that the model is unsure of, from its paragraphs."""
    chars = {label: sum(size for size, _ in own) for label, own in paragraphs.items()}
    total = sum(chars.values())
    ranked = sorted(chars, key=lambda label: (-chars[label], label))
    if len(ranked) > 1 and chars[ranked[0]] + chars[ranked[1]] >= CLEAR_SHARE * total:
        label = ranked[0]
        score = sum(size * score for size, score in paragraphs[label]) / chars[label]
        if label != whole.label or score > whole.score:
            whole = Language(label, score)
    others = [label for label in ranked if label != whole.label]
    if not others:
        return Reading(whole)
    share = 1 - chars.get(whole.label, 0) / total
    return Reading(whole, SecondLanguage(others[0], share))


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
    simplified = {char for char in han if encodes(char, "gb2312")}
    traditional = {char for char in han if encodes(char, "big5")}
    return frozenset(simplified - traditional), frozenset(traditional - simplified)
