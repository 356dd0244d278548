"""Bounds of a language from the same pages in English and in it."""

from __future__ import annotations

import random

from refinery.filters.shipped_rules import LanguageBounds, checked_in_rules, derived_bounds
from schemas.yaml_files import parse_yaml
from tools.language_bounds import BORROWED, derive, share_dropped, write

WORDS = [f"{a}{b}{c}" for a in "bdfg" for b in "aeiou" for c in "klmnrst"]


def pages(num: int, factor: int, joint: str) -> dict[str, str]:
    """Pages of 100 * factor words; some repeat a passage. `joint` makes each word longer."""
    found = {}
    for number in range(num):
        generator = random.Random(number)
        words = [generator.choice(WORDS) + joint + generator.choice(WORDS) for _ in range(100)]
        words += words[:12] if number % 4 == 0 else []
        found[str(number)] = " ".join(word for word in words for _ in range(factor)) + "."
    return found


def test_sizes_follow_the_ratio_of_the_same_pages() -> None:
    derived = derive(pages(150, 1, ""), pages(150, 2, ""))

    assert derived is not None
    assert derived["documents"] == 150
    words = derived["bounds"]["gopher:words"]
    assert (words["min"], words["max"]) == (100, 200_000)
    assert words["source"] == "derived: quantiles of 150 manual pages"


def test_longer_words_move_the_bounds_of_a_words_length() -> None:
    derived = derive(pages(150, 1, ""), pages(150, 1, "zzzzzz"))

    assert derived is not None
    bounds = derived["bounds"]["gopher:mean_word_chars"]
    assert bounds["min"] == 3  # no page of either is near it
    assert bounds["max"] == 20


def test_the_same_pages_give_the_bounds_of_english() -> None:
    derived = derive(pages(150, 1, ""), pages(150, 1, ""))

    assert derived is not None
    assert set(derived["bounds"]) == {"gopher:mean_word_chars", "gopher:alpha_words"}


def test_too_few_pages_derive_nothing_and_borrow() -> None:
    assert derive(pages(150, 1, ""), pages(99, 1, "")) is None

    text = write({"de": derive(pages(150, 1, ""), pages(150, 2, ""))})
    read = {name: LanguageBounds.model_validate(one) for name, one in parse_yaml(text).items()}
    assert read["de"].documents == 150
    assert read["ro"].borrowed_from == BORROWED["ro"] == "it"
    assert read["th"].bounds["fineweb:line_punctuation"].max is None


def test_the_share_that_a_language_drops_counts_long_pages_alone() -> None:
    english = checked_in_rules()["en"]
    repeated = " ".join(["the same eight words come again and again"] * 20)

    assert share_dropped({"a": repeated, "short": "no"}, english) == 1.0


def test_twenty_languages_and_scripts_without_blanks_have_bounds() -> None:
    derived = {name for name, one in derived_bounds().items() if one.borrowed_from is None}

    assert len(derived) >= 18
    assert {"th", "lo", "my", "ro", "fa", "ar"} <= set(derived_bounds()) - derived
    (thai,) = (r for r in checked_in_rules()["th"] if r.name == "fineweb:line_punctuation")
    assert not thai.is_bounded
    (lao,) = (r for r in checked_in_rules()["lo"] if r.name == "gopher:words")
    assert lao.bounds.minimum == 150
    assert lao.source == "borrowed from km"
