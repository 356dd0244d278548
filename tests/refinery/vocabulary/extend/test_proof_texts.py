from __future__ import annotations

import unicodedata

import pytest

from refinery.tokenizers.folder import read_tokenizer
from refinery.vocabulary.config import TrainKind
from refinery.vocabulary.extend.proof_texts import (
    any_unicode,
    donor_lines,
    other_scripts,
    own_pieces,
)
from refinery.vocabulary.extend.scripts import new_characters
from tests.support.small_tokenizers import KINDS, folder_of

HAN = new_characters(("Han",))


def test_lines_of_other_scripts_hold_no_new_character_and_many_scripts() -> None:
    lines = other_scripts(HAN, lines=300)

    assert not any(HAN.held_by(line) for line in lines)
    names = {unicodedata.name(c, "").split(" ")[0] for line in lines for c in line}
    assert {"LATIN", "CYRILLIC", "ARABIC", "DEVANAGARI", "HANGUL", "HIRAGANA"} <= names
    assert lines == other_scripts(HAN, lines=300), "the proofs read the same lines every time"


def test_lines_of_any_unicode_are_about_half_new_characters() -> None:
    text = "".join(any_unicode(HAN, lines=200))

    share = sum(c in HAN.characters for c in text) / len(text)
    assert 0.4 < share < 0.95
    assert not any(unicodedata.category(c) == "Cs" for c in text)
    text.encode()


@pytest.mark.parametrize("kind", KINDS)
def test_lines_of_a_base_are_made_of_its_own_pieces(kind: TrainKind) -> None:
    base = read_tokenizer(folder_of(kind, "en"))

    lines = own_pieces(base, HAN, lines=50)

    assert len(lines) == 50
    assert not any(HAN.held_by(line) for line in lines)
    assert not any(token in line for token in base.special_tokens for line in lines)
    unknown = base.unk_id
    encoded = [base.tokenizer.encode(line, add_special_tokens=False).ids for line in lines]
    assert unknown is None or not any(unknown in ids for ids in encoded)


def test_lines_of_a_donor_are_made_of_the_given_texts() -> None:
    lines = donor_lines(["数据", "国"], lines=20)

    assert len(lines) == 20
    assert set("".join(lines)) == set("数据国")
    assert lines == donor_lines(["数据", "国"], lines=20)


@pytest.mark.slow
def test_where_every_character_is_new_there_are_no_other_lines() -> None:
    every = new_characters(("all",))

    assert other_scripts(every, lines=10) == []
    assert len(any_unicode(every, lines=10)) == 10
    assert donor_lines([], lines=10) == []
