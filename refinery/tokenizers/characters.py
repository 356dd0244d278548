"""What a tokenizer makes of single characters, learned from the library as characters are met.

Whether a character is a letter depends on the version of Unicode: asking the library itself makes the cuts
of all its versions ours. Blocks of 256 characters are asked for at once, so that even a text of all
characters asks a few thousand times.

Legend: C code points.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, pre_tokenizers

from refinery.compiled import Filled
from refinery.text.batch import NUM_CODE_POINTS
from refinery.text.utf8 import Bytes
from refinery.tokenizers.cutting import LETTER, NUMBER, OTHER, SPACE, Kinds
from refinery.tokenizers.piece_table import Ids

_BLOCK = 256
_BETWEEN = "x"
_SURROGATES = range(0xD800, 0xE000)
# What becomes of a character in `mapped_C`; from FIRST_TEXT on: the text of that number.
NOT_ASKED, ITSELF, JOINS, FIRST_TEXT = 0, 1, 2, 3


def characters_to_ask(characters: Iterable[str], known_C: NDArray[np.integer[Any]]) -> list[str]:
    """All characters of the blocks of those of which nothing is known yet (0), sorted."""
    codes = (ord(character) for character in characters)
    blocks = sorted({code // _BLOCK for code in codes if known_C[code] == 0})
    codes = (code for block in blocks for code in range(block * _BLOCK, (block + 1) * _BLOCK))
    return [chr(code) for code in codes if code not in _SURROGATES]


class CharacterKinds:
    """Kinds of characters as patterns of the library see them.

    Attributes:
        kinds_C: The kind of each code point; UNKNOWN where nobody asked yet.
    """

    def __init__(self) -> None:
        self.kinds_C: Kinds = np.zeros(NUM_CODE_POINTS, np.uint8)
        self._removers = [
            (kind, pre_tokenizers.Split(Regex(pattern), "removed"))
            for kind, pattern in ((LETTER, r"\p{L}"), (NUMBER, r"\p{N}"), (SPACE, r"\s"))
        ]
        self.learn(map(chr, range(0x300)))

    def learn(self, characters: Iterable[str]) -> None:
        """Ask for the blocks of these characters."""
        asked = "".join(characters_to_ask(characters, self.kinds_C))
        codes = np.array([ord(c) for c in asked], np.int64)
        kinds = np.full(len(asked), OTHER, np.uint8)
        for kind, remover in self._removers:
            is_left = np.zeros(len(asked), bool)
            for _, (start, end) in remover.pre_tokenize_str(asked):
                is_left[start:end] = True
            kinds[~is_left] = kind
        self.kinds_C[codes] = kinds


class CharacterTexts(NamedTuple):
    """What characters become.

    Attributes:
        mapped_C: For each code point NOT_ASKED, ITSELF, JOINS (what becomes of it may depend on its
            neighbours), or FIRST_TEXT and more: the text of that number is written instead.
        texts: UTF-8 of those texts, one behind the other.
        bounds: [texts + 1] where each begins.
    """

    mapped_C: Filled[Ids]
    texts: Filled[Bytes]
    bounds: Filled[Ids]


class CharacterMap:
    """What a normaliser makes of characters, where it looks at each one alone.

    Args:
        normalize: The normaliser.
        joins: Whether what becomes of a character may depend on its neighbours.
    """

    def __init__(self, normalize: Callable[[str], str], joins: Callable[[str], bool]) -> None:
        self._normalize, self._joins = normalize, joins
        self._mapped_C: Ids = np.zeros(NUM_CODE_POINTS, np.int32)
        self._numbers: dict[str, int] = {}
        self._arrays = self._listed()

    def arrays(self) -> CharacterTexts:
        """What is known, for kernels."""
        return self._arrays

    @classmethod
    def of_itself(cls) -> CharacterMap:
        """Every character stays what it is."""
        made = cls(str, lambda _: False)
        made._mapped_C[:] = ITSELF
        return made

    def learn(self, characters: Iterable[str]) -> None:
        """Ask for the blocks of these characters."""
        asked = []
        for character in characters_to_ask(characters, self._mapped_C):
            if self._joins(character):
                self._mapped_C[ord(character)] = JOINS
            else:
                asked.append(character)
        for start in range(0, len(asked), _BLOCK):
            block = asked[start : start + _BLOCK]
            for character, text in zip(block, self._normalized(block), strict=True):
                number = ITSELF
                if text != character:
                    number = FIRST_TEXT + self._numbers.setdefault(text, len(self._numbers))
                self._mapped_C[ord(character)] = number
        self._arrays = self._listed()

    def _normalized(self, characters: list[str]) -> list[str]:
        """What each becomes: all in one call with letters between them, unless one of them becomes such a letter."""
        texts = self._normalize(_BETWEEN.join(characters)).split(_BETWEEN)
        if len(texts) == len(characters):
            return texts
        return [self._normalize(character) for character in characters]

    def _listed(self) -> CharacterTexts:
        texts = [text.encode() for text in self._numbers]
        bounds = np.cumsum([0, *map(len, texts)]).astype(np.int32)
        return CharacterTexts(
            self._mapped_C, np.frombuffer(b"".join(texts), np.uint8).copy(), bounds
        )


def joins_neighbours(character: str) -> bool:
    """Whether a character may form a grapheme with its neighbours, or compose with them.

    Marks, joiners and other format characters, jamo, flags' letters, skin tones, the vowels of Thai and Lao
    that belong to the letter before them, half-width voicing marks, letters that stand before others
    (UAX 29: Prepend), and what Python's version of Unicode does not know. A return joins a line feed.
    """
    code = ord(character)
    category = unicodedata.category(character)
    return (
        category[0] == "M"
        or category in ("Cf", "Cn")
        or unicodedata.combining(character) > 0
        or code in _JOINING
        or any(first <= code <= last for first, last in _JOINING_RANGES)
    )


_JOINING = frozenset({0x0D, 0x0E33, 0x0EB3, 0x0D4E, 0xFF9E, 0xFF9F})
_JOINING_RANGES = (
    (0x1100, 0x11FF), (0xA960, 0xA97C), (0xD7B0, 0xD7FB), (0x1F1E6, 0x1F1FF), (0x1F3FB, 0x1F3FF),
    (0x11000, 0x11FFF),
)  # fmt: skip
