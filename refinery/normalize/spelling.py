"""Correct the spelling of plain English words; names, code, addresses and other languages stay.

Only words in lower case between blanks and ordinary punctuation are judged, on lines that are no
code, in texts whose words a dictionary mostly knows. A word changes only to a frequent word one or
two edits away. That one is in the dictionary, so a second pass changes nothing.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
from typing import Any

from pydantic import Field

from schemas.errors import SettingsError
from schemas.settings import Settings

DICTIONARY = "frequency_dictionary_en_82_765.txt"
_WORD = re.compile(r"(?<!\S)[\"'(“‘]{0,2}([a-z]+)[.,;:!?\"')”’]{0,3}(?!\S)")
_CODE_LINE = re.compile(r"^(?: {4}|\t)|[{};=]\s*$|^\s*(?:#|//|>>>|\$ )")
_FENCE = "```"


class SpellingConfig(Settings):
    """Which English words are corrected."""

    max_edits: int = Field(
        default=1,
        ge=1,
        le=2,
        description="most letters changed, added, removed or swapped in a word",
    )
    min_word_chars: int = Field(
        default=5, ge=3, description="shorter words stay: too many words are like them"
    )
    min_count: int = Field(
        default=1_000_000,
        ge=1,
        description="fewest occurrences of the corrected word in the dictionary's corpus",
    )
    min_known_fraction: float = Field(
        default=0.85,
        gt=0,
        le=1,
        description="smallest fraction of a text's words that the dictionary knows; below it the text stays",
    )


def correct_spelling(text: str, config: SpellingConfig) -> tuple[str, int]:
    """Text with misspelt words corrected, and their number."""
    counts = _dictionary(config.max_edits).words
    words = _WORD.findall(text)
    known = sum(word in counts for word in words)
    # Where few words are known, the text is code or of another language.
    if not words or known < config.min_known_fraction * len(words) or known == len(words):
        return text, 0
    lines, in_code, corrected = text.split("\n"), False, 0
    for number, line in enumerate(lines):
        if line.lstrip().startswith(_FENCE):
            in_code = not in_code
        elif not in_code and not _CODE_LINE.search(line):
            lines[number], changed = _correct_line(line, config)
            corrected += changed
    return "\n".join(lines), corrected


def _correct_line(line: str, config: SpellingConfig) -> tuple[str, int]:
    corrected = 0

    def correct(match: re.Match[str]) -> str:
        nonlocal corrected
        word = match[1]
        if len(word) < config.min_word_chars:
            return match[0]
        better = _best(word, config.max_edits, config.min_count)
        corrected += better != word
        return match[0].replace(word, better, 1)

    return _WORD.sub(correct, line), corrected


@functools.lru_cache(maxsize=100_000)
def _best(word: str, max_edits: int, min_count: int) -> str:
    """The most frequent of the nearest known words; the word itself where none is near enough."""
    from symspellpy import Verbosity

    nearest = _dictionary(max_edits).lookup(word, Verbosity.TOP, max_edit_distance=max_edits)
    if not nearest or nearest[0].count < min_count or not nearest[0].term.isalpha():
        return word
    return str(nearest[0].term)


@functools.cache
def _dictionary(max_edits: int) -> Any:
    try:
        import symspellpy
    except ImportError as error:
        raise SettingsError(
            "recipe.clean.normalize.spelling needs the package symspellpy, which is not installed; "
            "pip install symspellpy (extra `language`)"
        ) from error
    dictionary = symspellpy.SymSpell(max_dictionary_edit_distance=max_edits)
    source = importlib.resources.files(symspellpy).joinpath(DICTIONARY)
    with importlib.resources.as_file(source) as path:
        dictionary.load_dictionary(path, term_index=0, count_index=1)
    return dictionary
