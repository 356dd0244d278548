from __future__ import annotations

import pytest
from tokenizers import pre_tokenizers
from transformers.convert_slow_tokenizer import bytes_to_unicode

from refinery.tokenizers.byte_characters import (
    byte_characters,
    character_bytes,
    piece_bytes,
    to_byte_piece,
)


def test_the_characters_are_those_of_gpt2() -> None:
    assert byte_characters() == bytes_to_unicode()
    assert {character_bytes()[c]: c for c in character_bytes()} == bytes_to_unicode()


@pytest.mark.parametrize("text", ["plain", " a b", "naïve\n", "数据 😀", "\x00\x7f\xad"])
def test_a_text_is_written_as_the_library_writes_it(text: str) -> None:
    library = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    ((written, _),) = library.pre_tokenize_str(text)

    assert to_byte_piece(text) == written
    assert piece_bytes(written) == text.encode()


def test_an_entry_of_other_characters_has_no_bytes() -> None:
    assert piece_bytes("数") is None
    assert piece_bytes("a b") is None, "a space is written as another character"
