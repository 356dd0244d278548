"""What a text costs in tokens, counted by hand."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from refinery.tokenizers.fertility import measure_fertility


@pytest.fixture
def tokenizer() -> Tokenizer:
    vocabulary = {"[UNK]": 0, "old": 1, "house": 2, "数": 3}
    made = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    return made


def test_words_characters_bytes_and_unknowns_are_counted(tokenizer: Tokenizer) -> None:
    found = measure_fertility(tokenizer, ["old house", "old 数 据据"], unk_id=0)

    assert (found["lines"], found["tokens"]) == (2, 5)
    assert found["characters"] == 9 + 8
    assert found["tokens_per_character"] == pytest.approx(5 / 17)
    # An ideograph is a word of its own.
    assert found["tokens_per_word"] == pytest.approx(5 / 6)
    assert found["bytes_per_token"] == pytest.approx((9 + 4 + 3 + 1 + 6) / 5)
    # One unknown token stands for two characters.
    assert found["unknown_fraction"] == pytest.approx(2 / 17)


def test_nothing_costs_nothing(tokenizer: Tokenizer) -> None:
    assert set(measure_fertility(tokenizer, [], unk_id=None).values()) == {0.0}
