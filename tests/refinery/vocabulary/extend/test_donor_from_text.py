from __future__ import annotations

import random

import pytest

from refinery.tokenizers.folder import read_tokenizer
from refinery.vocabulary.config import ExtendConfig
from refinery.vocabulary.extend.donor_from_text import (
    choose_lines,
    donor_from_texts,
    refuse_small_size,
    train_and_hold_out,
)
from schemas.errors import ContractError, SettingsError
from tests.support.small_tokenizers import chinese_lines, folder_of


def test_a_donor_does_not_depend_on_the_order_of_lines_and_holds_new_characters() -> None:
    base = read_tokenizer(folder_of("sentencepiece_unigram", "en"))
    lines = chinese_lines()
    config = ExtendConfig(size=base.size + 60)

    one = donor_from_texts(lines, base, config)
    other = donor_from_texts(random.Random(1).sample(lines, len(lines)), base, config)

    assert one.candidates == other.candidates
    texts = [candidate.text.strip() for candidate in one.candidates]
    assert any(len(text) > 1 and set(text) <= set("".join(lines)) for text in texts)


def test_single_characters_come_first_where_missing_ones_cost_most() -> None:
    base = read_tokenizer(folder_of("sentencepiece_bpe", "en"))

    donor = donor_from_texts(chinese_lines(), base, ExtendConfig(size=base.size + 60))

    lengths = [len(candidate.text.strip()) > 1 for candidate in donor.candidates]
    assert lengths == sorted(lengths)


def test_lines_that_are_held_out_are_not_trained_on_and_are_about_a_twentieth() -> None:
    base = read_tokenizer(folder_of("sentencepiece_bpe", "en"))
    lines = {f"{line}{number}" for number in range(5) for line in chinese_lines()}

    _, held = train_and_hold_out(lines, base, ExtendConfig(size=base.size + 60))

    assert set(held) <= lines
    assert 0.03 < len(held) / len(lines) < 0.07


def test_lines_are_distinct_and_in_one_order() -> None:
    lines = ["b", "a", "a", "  ", "c"]

    assert choose_lines(lines) == choose_lines(reversed(lines))
    assert sorted(choose_lines(lines)) == ["a", "b", "c"]


def test_text_without_the_new_scripts_is_refused() -> None:
    base = read_tokenizer(folder_of("sentencepiece_bpe", "en"))

    with pytest.raises(ContractError, match=r"0 distinct clauses of Han in 1 lines"):
        donor_from_texts(["latin only"], base, ExtendConfig())


def test_a_size_without_room_is_refused_with_both_numbers() -> None:
    base = read_tokenizer(folder_of("sentencepiece_bpe", "en"))
    config = ExtendConfig(size=base.size)

    with pytest.raises(SettingsError, match=rf"--size {base.size}: .* has {base.size} ids"):
        refuse_small_size(config, base, setting="--size")
    refuse_small_size(ExtendConfig(size=base.size + 1), base, setting="--size")
