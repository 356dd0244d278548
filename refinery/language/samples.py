"""Samples of texts in the form that a language model was trained on: mixed case, plain letters."""

from __future__ import annotations

import functools
import re
import unicodedata

import numpy as np

from refinery.compiled import kernel
from refinery.text.batch import (
    CJK,
    KIND,
    LETTER,
    SMALL,
    SPACE,
    UPPER,
    WORD,
    Classes,
    Codes,
    class_table,
)

_LETTERS = re.compile(r"[^\W\d_]+(?:['’\u200c\u200d][^\W\d_]+)*")
# Full-width letters, letters as symbols (bold, in circles), and small capitals of phonetics.
_STYLED = re.compile(
    "[\uff21-\uff5a\u1d00-\u1d2b\u0262-\u02a2\ua730\ua731\u2460-\u24ff\U0001d400-\U0001d7ff\U0001f130-\U0001f189]"
)
# Further on than this nothing is looked for that letters might be made of.
_REACH = 5
_ZERO, _NINE = ord("0"), ord("9")
# What `count_kinds` counts, in its order.
_IN_WORDS, _VISIBLE, _NUM_LETTERS, _CAPITALS, _SMALL_LETTERS = range(5)


def sample_of(text: str, num_chars: int) -> str:
    """About the first `num_chars` characters on one line, in ordinary letters; empty without letters.

    Where most of it is no letters (tables of numbers, code, rules of signs), the words alone are
    taken, and from further on. Where most letters are capitals, it is in small letters.
    """
    sample = " ".join(text[:num_chars].split())
    counts = _counts(sample)
    is_changed = 2 * counts[_IN_WORDS] < counts[_VISIBLE]
    if is_changed:
        sample = " ".join(_LETTERS.findall(text[: _REACH * num_chars]))[:num_chars]
    if not sample.isascii() and _STYLED.search(sample):
        sample = sample.translate(_plain_letters())
        is_changed = True
    if is_changed:
        counts = _counts(sample)
    if not counts[_NUM_LETTERS]:
        return ""
    return sample.lower() if counts[_CAPITALS] > counts[_SMALL_LETTERS] else sample


def _counts(text: str) -> tuple[int, int, int, int, int]:
    codes_C = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    return count_kinds(codes_C, class_table())


@kernel
def count_kinds(codes_C: Codes, classes: Classes) -> tuple[int, int, int, int, int]:
    """How many code points of a text are in words and no digits, visible, letters, capitals and small letters.

    Marks of Thai or Devanagari are no letters; with them, tokens are of the kinds WORD and CJK.
    """
    in_words = visible = letters = capitals = small = 0
    for char in range(len(codes_C)):
        code = codes_C[char]
        found = classes[code] if code < len(classes) else np.uint8(0)
        kind = found & KIND
        is_digit = _ZERO <= code <= _NINE
        in_words += (kind == WORD or kind == CJK) and not is_digit  # noqa: SIM109
        visible += kind != SPACE
        letters += found & LETTER != 0
        capitals += found & UPPER != 0
        small += found & SMALL != 0
    return in_words, visible, letters, capitals, small


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
