from __future__ import annotations

import sys
import unicodedata

import pytest

from refinery.vocabulary.extend.scripts import NewCharacters, new_characters, utf8_length
from schemas.errors import SettingsError

HAN = new_characters(("Han",))


def test_ideographs_and_east_asian_forms_are_new_and_latin_is_not() -> None:
    ideographs = {
        chr(code)
        for code in range(0x3400, 0x30000)
        if unicodedata.name(chr(code), "").startswith("CJK UNIFIED IDEOGRAPH")
    }

    assert ideographs <= HAN.characters
    assert {"。", "（", "Ａ", "㍿"} <= HAN.characters, "㍿ folds to ideographs"
    assert HAN.characters.isdisjoint("aé Ж1.—“”…😀")


def test_text_is_judged_by_its_characters() -> None:
    assert HAN.held_by("a 国 b")
    assert not HAN.held_by("plain text")


def test_bytes_hold_a_new_character_or_a_prefix_that_only_new_ones_have() -> None:
    """By brute force over all characters: what else could the bytes be part of?"""
    new = NewCharacters(("Test",), frozenset("国囼数"))
    others = [
        chr(code).encode()
        for code in range(0x80, sys.maxunicode + 1)
        if unicodedata.category(chr(code)) not in ("Cn", "Cs") and chr(code) not in new.characters
    ]
    prefixes = {encoded[:length] for encoded in others for length in range(1, len(encoded))}

    for character in "国数é😀":
        encoded = character.encode()
        for length in range(1, len(encoded)):
            prefix = encoded[:length]
            is_own = prefix not in prefixes and any(
                c.encode().startswith(prefix) for c in new.characters
            )
            assert new.held_by_bytes(b"a" + prefix) == is_own, (character, length)
        assert new.held_by_bytes(b"a" + encoded + b"b") == (character in new.characters)


def test_a_byte_level_prefix_is_new_for_a_whole_script() -> None:
    assert HAN.held_by_bytes("国".encode()[:1]), "U+5000 to U+5FFF are ideographs, every one"
    assert not HAN.held_by_bytes("㐀".encode()[:1]), "kana begin with this byte too"
    assert not HAN.held_by_bytes("é".encode())
    assert not HAN.held_by_bytes(b"\xbd\x9c"), "continuation bytes alone say nothing"


def test_all_is_every_character() -> None:
    assert len(new_characters(("all",)).characters) == sys.maxunicode + 1 - 0x800


def test_more_characters_are_given_as_a_class() -> None:
    more = new_characters(("Cyrillic",), r"\u2460-\u2462")

    assert {"Ж", "①", "③"} <= more.characters
    assert "④" not in more.characters
    assert "。" not in more.characters, "its forms come with East Asian scripts alone"


@pytest.mark.parametrize(("scripts", "extra"), [(("Klingonish",), ""), (("Han",), "z-a")])
def test_what_is_no_script_or_no_class_is_refused(scripts: tuple[str, ...], extra: str) -> None:
    with pytest.raises(SettingsError, match="expected Unicode script names"):
        new_characters(scripts, extra)


def test_lengths_of_utf8_sequences() -> None:
    for character in "aé国😀":
        encoded = character.encode()
        assert utf8_length(encoded[0]) == len(encoded)
        assert all(utf8_length(byte) == 0 for byte in encoded[1:])
    assert utf8_length(0xFF) == 0
