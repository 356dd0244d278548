"""Counts of kinds of characters against Python's own notion of them."""

from __future__ import annotations

import random
import unicodedata

import numpy as np
import pytest

from refinery.language.samples import count_kinds
from refinery.text.batch import class_table

ALPHABET = "aBÀé19 \n.,月か한\u0301\u3000\x85\U0001f600\U00020001"


def _plain(text: str) -> tuple[int, int, int, int, int]:
    categories = [unicodedata.category(char) for char in text]
    in_words = sum(
        c[0] in "LMN" and char not in "0123456789" for c, char in zip(categories, text, strict=True)
    )
    visible = sum(not char.isspace() for char in text)
    letters = sum(c[0] == "L" for c in categories)
    small = sum(char.islower() for char in text)
    return in_words, visible, letters, sum(char.isupper() for char in text), small


@pytest.mark.parametrize("seed", range(20))
def test_kinds_are_counted_as_plain_python_counts_them(seed: int) -> None:
    source = random.Random(seed)
    text = "".join(source.choices(ALPHABET, k=source.randrange(60)))
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    assert tuple(map(int, count_kinds(codes, class_table()))) == _plain(text)


def test_numbers_beyond_unicode_are_no_characters() -> None:
    codes = np.array([0x110000, 0xFFFFFFFF], np.uint32)
    assert tuple(map(int, count_kinds(codes, class_table()))) == (0, 2, 0, 0, 0)
