"""GPT-2's characters for bytes, against those of the tokenizers library."""

from __future__ import annotations

from tokenizers.pre_tokenizers import ByteLevel

from refinery.tokenizers.byte_characters import (
    byte_characters,
    character_bytes,
    piece_bytes,
    to_byte_piece,
)


def test_the_alphabet_is_the_librarys() -> None:
    assert set(byte_characters().values()) == set(ByteLevel.alphabet())
    assert {character_bytes()[character] for character in byte_characters().values()} == set(
        range(256)
    )


def test_a_text_is_spelt_as_the_library_spells_it() -> None:
    text = "a 中\n\x00é"
    spelt = ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)

    assert to_byte_piece(text) == "".join(piece for piece, _ in spelt)
    assert piece_bytes(to_byte_piece(text)) == text.encode()


def test_what_is_no_byte_character_has_no_bytes() -> None:
    assert piece_bytes("a b") is None
    assert piece_bytes("<|endoftext|>中") is None
