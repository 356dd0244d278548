"""Split text into words as other programs do, for rules that must agree with theirs."""

from __future__ import annotations

import functools
import re
from typing import Any

# This follows the main rules of spaCy's English splitting: clitics and units are words, and so are marks
# at the ends of a word; a hyphen splits between letters; dots, "&" and the like inside a word do not.
_CLITICS = r"(?:'|’)(?:s|re|ve|ll|d|m)\b"
_UNITS = "km|m|cm|mm|kg|g|mg|lbs?|ft|oz|[kmgt]b?|hz|am|pm|a\\.m\\.|p\\.m\\."
_SYNTACTIC = (
    rf"\.{{2,}}|…|{_CLITICS}|n['’]t\b|can(?=not\b)"
    r"|(?:https?://|www\.)[^\s<>\"]*[^\s<>\"'.,;:!?)\]]"
    r"|[\w.+\-]+@\w[\w\-]*(?:\.[\w\-]+)+"
    rf"|\d+(?:[.,:/]\d+)*(?:(?:st|nd|rd|th)?\b|(?=(?:{_UNITS})\b))"
    r"|\b(?:[A-Za-z]\.)+"
    r"|(?:Mr|Mrs|Ms|Dr|St|Jr|Sr|Prof|Gen|Gov|Sen|Rev|Co|Inc|Ltd|Corp|vs|e\.g|i\.e)\."
    r"|and/or\b"
    r"|[^\W_](?:(?!n['’]t\b)[^\W_]|['’](?=[^\W_])(?!(?:s|re|ve|ll|d|m|t)\b)"
    r"|[&.](?=[^\W_])|(?:-(?=\d))|(?<=\d)-(?=[^\W_]))*"
    r"|-{2,}|/{2,}|\S"
)
# jieba cuts runs that its dictionary does not know at marks; rjieba leaves them whole.
_UNKNOWN = re.compile(r"[A-Za-z0-9]+(?:\.\d+)?%?|[^A-Za-z0-9]+")


@functools.cache
def _syntactic_pattern() -> Any:
    import regex

    return regex.compile(_SYNTACTIC, regex.IGNORECASE)


@functools.cache
def _break_pattern() -> Any:
    import regex

    return regex.compile(r"(?w)\b", regex.VERSION1)


def syntactic_words(text: str) -> list[str]:
    """Words and marks in the manner of a treebank, as spaCy's English tokenizer does."""
    words: list[str] = _syntactic_pattern().findall(text)
    return words


def break_words(text: str) -> list[str]:
    """What lies between the word boundaries of Unicode (UAX 29)."""
    return [word for word in _break_pattern().split(text) if word]


def jieba_words(text: str) -> list[str]:
    """Chinese words by jieba's dictionary and its model of unknown words."""
    import rjieba

    words: list[str] = []
    for word in rjieba.cut(text):
        if word.isascii() and not word.isalnum():
            words += _UNKNOWN.findall(word)
        else:
            words.append(word)
    return words
