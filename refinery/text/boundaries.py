"""Find where words and sentences begin in a text, and which tokens hold those characters.

Words are runs of letters and digits with the marks on them, as Hindi has; runs of Han characters are cut
by jieba's dictionary (rjieba, MIT). Scripts without blanks between words (Thai, Lao, Khmer, Burmese) are
cut into their smallest written units: a consonant with its vowels, its marks and what is stacked below it.
Offsets count code points.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import regex

from refinery.text.batch import UNSPACED_RANGES

Ints = npt.NDArray[np.int64]

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HAN_RUN = re.compile(rf"[{_HAN}]+")
_UNSPACED = "".join(rf"\u{first:04x}-\u{last:04x}" for first, last in UNSPACED_RANGES)
# Thai and Lao write these vowels before their consonant, and those behind it without a mark's class.
_LEADING, _FOLLOWING = r"\u0e40-\u0e44\u0ec0-\u0ec4", r"\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3"
# Signs of Khmer, Burmese, Tai Tham, Javanese and Balinese that put the next consonant below this one.
_STACKING = r"\u17d2\u1039\u1a60\ua9c0\u1b44"
_UNIT = rf"[{_LEADING}]?[{_UNSPACED}](?:[{_STACKING}][{_UNSPACED}]|[\p{{M}}{_FOLLOWING}])*"
# In `regex` marks are characters of words, which they are not in `re`.
_LETTER = rf"[[\w\p{{No}}]--[{_HAN}{_UNSPACED}]]"
# A run of Han, a unit, a word of anything else (an apostrophe or a joiner inside), or another visible character.
_WORD = regex.compile(
    rf"(?P<han>[{_HAN}]+)|{_UNIT}|{_LETTER}+(?:['’\u200c\u200d]{_LETTER}+)*|[^\w\s]",
    regex.VERSION1,
)
_CLOSING = "\"'”’»)\\]」』）】》"
_SENTENCE_END = re.compile(rf"(?P<latin>[.!?…]+[{_CLOSING}]*(?=\s))|[。！？；…]+[{_CLOSING}]*|\n")
# Words after whose full stop a sentence goes on; a single letter is an initial.
_ABBREVIATIONS = frozenset(
    {
        *("mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "vs", "etc", "e.g", "i.e", "cf"),
        *("no", "fig", "vol", "pp", "al", "inc", "ltd", "co", "dept", "approx"),
    }
)


def word_starts(text: str) -> Ints:
    """Offsets at which words begin, sorted."""
    starts: list[int] = []
    for match in _WORD.finditer(text):
        run = match["han"]
        if run is None or len(run) == 1:
            starts.append(match.start())
        else:
            starts += _han_starts(run, match.start())
    return np.array(starts, np.int64)


def _han_starts(run: str, start: int) -> list[int]:
    import rjieba

    starts = []
    for word in rjieba.cut(run, hmm=False):
        starts.append(start)
        start += len(word)
    return starts


def count_han_words(text: str) -> int:
    """Words that the runs of Han characters in a text make, by the dictionary."""
    return sum(len(_han_starts(match[0], 0)) for match in _HAN_RUN.finditer(text))


def sentence_starts(text: str) -> Ints:
    """Offsets of the first character of each sentence, sorted; none in an empty text."""
    starts, start = [], 0
    for match in _SENTENCE_END.finditer(text):
        if match["latin"] is not None and _goes_on(text, match):
            continue
        if text[start : match.end()].strip():
            starts.append(start)
        start = match.end()
    if text[start:].strip():
        starts.append(start)
    return np.array([_first_visible(text, start) for start in starts], np.int64)


def _goes_on(text: str, match: re.Match[str]) -> bool:
    """Whether a sentence goes on behind its mark: after an abbreviation or initial, or in lower case."""
    if text[match.end() : match.end() + 4].lstrip()[:1].islower():
        return True
    if match[0][0] != ".":
        return False
    before = re.search(r"[^\s(]*$", text[max(0, match.start() - 12) : match.start()])
    word = before[0].lower() if before else ""
    return word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha())


def _first_visible(text: str, start: int) -> int:
    while text[start].isspace():
        start += 1
    return start


def tokens_at(offsets: Ints, ends: Ints) -> Ints:
    """Sorted distinct indices of the tokens that hold the characters at these offsets.

    Args:
        offsets: Code points from the beginning of the text, sorted.
        ends: [T] one past the last code point of each token.
    """
    tokens = np.searchsorted(ends, offsets, side="right")
    tokens = tokens[tokens < len(ends)]
    # Tokens of sorted offsets are sorted: equal ones are neighbours, `np.unique` would sort again.
    return tokens[np.diff(tokens, prepend=-1) > 0]
