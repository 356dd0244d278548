"""Samples of texts in the form that a language model was trained on: mixed case, plain letters."""

from __future__ import annotations

import functools
import re
import unicodedata

import numpy as np
from numpy.typing import NDArray

from refinery.text.batch import CJK, KIND, LETTER, SMALL, SPACE, UPPER, WORD, class_table

_LETTERS = re.compile(r"[^\W\d_]+(?:['’\u200c\u200d][^\W\d_]+)*")
# Full-width letters, letters as symbols (bold, in circles), and small capitals of phonetics.
_STYLED = re.compile(
    "[\uff21-\uff5a\u1d00-\u1d2b\u0262-\u02a2\ua730\ua731\u2460-\u24ff\U0001d400-\U0001d7ff\U0001f130-\U0001f189]"
)
# Further on than this nothing is looked for that letters might be made of.
_REACH = 5


def sample_of(text: str, num_chars: int) -> str:
    """About the first `num_chars` characters on one line, in ordinary letters; empty without letters.

    Where most of it is no letters (tables of numbers, code, rules of signs), the words alone are
    taken, and from further on. Where most letters are capitals, it is in small letters.
    """
    sample = " ".join(text[:num_chars].split())
    kinds = _classes(sample)
    # Marks of Thai or Devanagari are no letters; with them, tokens are of the kinds WORD and CJK.
    kind, codes = kinds & KIND, _codes(sample)
    is_digit = (codes >= ord("0")) & (codes <= ord("9"))
    in_words = ((kind == WORD) | (kind == CJK)) & ~is_digit
    if 2 * np.count_nonzero(in_words) < np.count_nonzero(kind != SPACE):
        sample = " ".join(_LETTERS.findall(text[: _REACH * num_chars]))[:num_chars]
    if not sample.isascii() and _STYLED.search(sample):
        sample = sample.translate(_plain_letters())
    kinds = _classes(sample)
    if not np.any(kinds & LETTER):
        return ""
    num_capitals, num_small = (np.count_nonzero(kinds & bit) for bit in (UPPER, SMALL))
    return sample.lower() if num_capitals > num_small else sample


def _classes(text: str) -> NDArray[np.uint8]:
    return np.asarray(class_table().take(_codes(text)))


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


@functools.cache
def _plain_letters() -> dict[int, str]:
    plain = {}
    for char in filter(_STYLED.match, map(chr, range(0x20000))):
        point = ord(char)
        name = unicodedata.name(char, "")
        if name.startswith("LATIN LETTER SMALL CAPITAL ") and len(name.split()[-1]) == 1:
            plain[point] = name.split()[-1].lower()
        elif (folded := unicodedata.normalize("NFKC", char)) != char and len(folded) == 1:
            plain[point] = folded
    return plain
