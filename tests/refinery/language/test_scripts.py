"""Writing systems of texts and lines."""

import pytest

from refinery.language.scripts import (
    SYSTEMS,
    japanese_share,
    lines_by_system,
    system_weights,
    writes,
)


@pytest.mark.parametrize(
    ("text", "system", "weight"),
    [
        ("abc, 12", "Latn", 3),
        ("Ünïcödé ａ", "Latn", 8),
        ("жук", "Cyrl", 3),
        ("图书馆", "Hani", 12),
        ("図書カード", "Hani", 14),
        ("圖書館은", "Hang", 14),  # Hangul among Han is Korean
        ("ภาษาไทย", "Thai", 7),
        ("क्षि", "Deva", 4),
    ],
)
def test_weights_count_letters_and_marks(text: str, system: str, weight: float) -> None:
    (weights,) = system_weights([text])

    assert weights[SYSTEMS.index(system)] == weight
    assert weights.sum() == weight


def test_lines_go_to_the_system_that_most_of_them_is_in() -> None:
    text = "1.\n图书馆 library\n2.\nThe library is 图书馆 in Chinese\n---"

    assert lines_by_system(text) == {
        "Hani": ["1.", "图书馆 library", "2."],
        "Latn": ["The library is 图书馆 in Chinese", "---"],
    }


def test_labels_are_written_in_their_systems_only() -> None:
    assert writes("en", "Latn")
    assert not writes("ja", "Latn")
    assert not writes("tr", "Knda")
    assert writes("sr", "Latn")
    assert writes("sr", "Cyrl")
    assert not writes("en", "Zzzz")


def test_japanese_is_told_by_kana_and_by_its_own_kanji() -> None:
    assert japanese_share("学而时习之") == 0
    assert japanese_share("駅前広場") == 0.5
    assert japanese_share("図書カード") == 0.6  # three kana; one kanji alone says nothing
    assert japanese_share("利萬物而不爭處衆人之所惡") == 0
