"""The table of rules in words."""

from __future__ import annotations

import pytest

from refinery.filters.rules_table import (
    languages_with_bounds,
    provenance,
    range_in_words,
    rule_rows,
)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (None, None, "off"),
        (1, None, "at least 1"),
        (None, 0.25, "at most 0.25"),
        (3, 10, "3 to 10"),
    ],
)
def test_ranges(low: float | None, high: float | None, words: str) -> None:
    assert range_in_words(low, high) == words


def test_a_language_says_where_its_bounds_come_from() -> None:
    assert languages_with_bounds()[0] == "default"
    assert provenance("lo") == "borrowed from km: there was too little clean text"
    assert provenance("en").startswith("published numbers")


def test_each_language_has_every_rule_in_one_order() -> None:
    names = [row["rule"] for row in rule_rows(["default"])]

    for language in languages_with_bounds():
        assert [row["rule"] for row in rule_rows([language])] == names
