"""Words as spaCy, jieba and Unicode split them."""

from __future__ import annotations

import pytest

from refinery.filters.words import break_words, jieba_words, syntactic_words


def test_words_are_split_as_the_programs_split_them() -> None:
    text = "Hello, it's a well-known test... (see #1) — done…"  # spaCy 3.8

    assert syntactic_words(text) == [
        "Hello", ",", "it", "'s", "a", "well", "-", "known", "test", "...", "(", "see", "#", "1",
        ")", "—", "done", "…",
    ]  # fmt: skip
    assert [w for w in jieba_words("今天天气很好，我们去公园。It is 3.5%") if w.strip()] == [
        "今天天气", "很", "好", "，", "我们", "去", "公园", "。", "It", "is", "3.5%",
    ]  # fmt: skip
    assert break_words("can't stop") == ["can't", " ", "stop"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("They don't, can't and cannot.",
         ["They", "do", "n't", ",", "ca", "n't", "and", "can", "not", "."]),
        ("See https://a.example/b, or mail a.b@c.example!",
         ["See", "https://a.example/b", ",", "or", "mail", "a.b@c.example", "!"]),
        ("Dr. Smith paid 1,000.50 for 5km in the U.S.",
         ["Dr.", "Smith", "paid", "1,000.50", "for", "5", "km", "in", "the", "U.S."]),
        ("AT&T and/or R2-D2", ["AT&T", "and/or", "R2-D2"]),
        ("", []),
    ],
)  # fmt: skip
def test_clitics_units_and_addresses_are_words(text: str, words: list[str]) -> None:
    assert syntactic_words(text) == words


def test_word_boundaries_of_unicode_lose_no_character() -> None:
    text = "naïve café, 3.14 天气 e.g. x_y"

    assert "".join(break_words(text)) == text
    assert {"naïve", "café", "3.14", "x_y"} <= set(break_words(text))
