from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from refinery.tokenizers.fertility import measure_fertility


@pytest.fixture
def words() -> Tokenizer:
    """Three words and [UNK]; everything else is unknown."""
    vocab = {"[UNK]": 0, "red": 1, "fox": 2, "国": 3}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def test_tokens_are_counted_per_character_word_and_byte(words: Tokenizer) -> None:
    found = measure_fertility(words, ["red fox", "red 国"], unk_id=0)

    assert (found["lines"], found["characters"], found["tokens"]) == (2, 12, 4)
    assert found["tokens_per_character"] == 4 / 12
    assert found["tokens_per_word"] == 1
    assert found["bytes_per_token"] == 14 / 4
    assert found["unknown_fraction"] == 0


def test_unknown_characters_are_counted_not_unknown_tokens(words: Tokenizer) -> None:
    found = measure_fertility(words, ["red vixen"], unk_id=0)

    assert found["unknown_fraction"] == 5 / 9


def test_an_ideograph_is_a_word_of_its_own(words: Tokenizer) -> None:
    found = measure_fertility(words, ["国国国"], unk_id=0)

    assert found["tokens_per_word"] == found["tokens"] / 3


def test_a_character_spelt_in_bytes_is_unknown() -> None:
    vocab = {"a": 0, "<0xC3>": 1, "<0xA9>": 2}
    tokenizer = Tokenizer(models.BPE(vocab, [], byte_fallback=True))

    found = measure_fertility(tokenizer, ["aé"], unk_id=None)

    assert found["tokens"] == 3
    assert found["unknown_fraction"] == 0.5


def test_no_lines_give_zeros(words: Tokenizer) -> None:
    assert set(measure_fertility(words, [], unk_id=0).values()) == {0.0}
