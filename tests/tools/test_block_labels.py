"""Labels of blocks: long ones by n-grams, short ones only where they stand in the marked text."""

from __future__ import annotations

import pytest

from tools.block_labels import label_blocks, segment_counts, word_f1, words_of

ARTICLE = "The old bridge over the river was closed last winter because its stones had moved"


def test_cjk_is_one_word_a_character() -> None:
    assert words_of("Two 数据, 3") == ["two", "数", "据", "3"]


def test_f1_is_over_multisets() -> None:
    assert word_f1("a b", "a b") == 1
    assert word_f1("a a", "a") == pytest.approx(2 / 3)
    assert word_f1("a", "b") == 0
    assert word_f1("", "") == 1


def test_segments_are_counted_there_missing_and_extra() -> None:
    assert segment_counts("the old bridge, closed", ["Old bridge", "river"], ["closed", "x"]) == [
        1, 1, 1
    ]  # fmt: skip


def test_a_short_block_counts_only_in_its_order() -> None:
    truth = f"Home\n{ARTICLE}\nThe end"

    labels = label_blocks(["Share", ARTICLE, "Home", "The end"], truth)

    # "Home" is in the truth, but before the article and not after it.
    assert labels == [0.0, 1.0, 0.0, 1.0]


def test_half_a_block_is_half_content() -> None:
    (label,) = label_blocks([f"{ARTICLE} {' '.join(f'ad{n}' for n in range(15))}"], ARTICLE)

    assert 0.3 < label < 0.6
