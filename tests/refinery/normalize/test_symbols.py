"""Symbols, styled letters, boxes and icons become plain characters and are counted."""

from __future__ import annotations

import pytest

from refinery.normalize.emoji_words import language_of, name_of, replace_emoji
from refinery.normalize.symbols import replace_symbols


@pytest.mark.parametrize(
    ("text", "plain", "count"),
    [
        ("• one → two", "- one -> two", 2),
        ("✓ done\n☐ open\n★ new", "[x] done\n[ ] open\n- new", 3),
        ("•one\n  ● two\n\u3000□ three", "- one\n  - two\n\u3000- three", 3),
        ("A ⇒ B ← C", "A => B <- C", 2),
        ("𝓗𝒆𝓁𝓁𝑜 🄰Ⓑ", "Hello AB", 7),
        ("┌──┐\n│ a │ b │\n└──┘", "    \n  a | b  \n    ", 5),
        ("├── a\n│   └── b", "    a\n        b", 2),
        ("menu \ue801\uf0c9", "menu ", 1),
        ("nothing 中", "nothing 中", 0),
    ],
)
def test_symbols_become_what_people_type(text: str, plain: str, count: int) -> None:
    assert replace_symbols(text) == (plain, count)


@pytest.mark.parametrize(
    "text",
    [
        "于二○○八年",  # the zero of years
        "○八年五月",  # at the start of a wrapped line
        "残碑上只有大□元年□月",  # missing characters
        "□□□三字不清",
        "评为★★★★☆",  # ratings
        "★★★★☆ 很好",
        "★ ★ ★ ☆ ☆",
        "●●●○○",
        "▓▓▓░░ 60 %",
        "密码是●●●●,电话138■■■■1234",  # masks
        "让∙雅克,W = F∙s, f∘g, 3·4",  # interpunct, product, composition
        "A • B • C",
        "yes ✓ no ✗ ☒ ☐ ☑",  # ticks in a table
        "选 ■ 是 □ 否",  # forms
        "■ 是\n□ 否",
        "B ⇐ A",
        "他说──不行",  # a dash of old code pages
        "F = m𝐚, 𝐀𝐱 = 𝐛, x ∈ ℝ",  # vectors
        "李\ue001先生",  # a private character of a name
        "37 °C, 5′ 3″, ※ 注意, § 5, 〇, ◯, △ABC, ▲ 5 %",
    ],
)
def test_signs_that_mean_something_stay(text: str) -> None:
    assert replace_symbols(text) == (text, 0)


def test_ratings_of_emoji_keep_their_number() -> None:
    assert replace_emoji("good ⭐⭐⭐", "words")[0] == "good star x3"
    assert replace_emoji("good ⭐", "words")[0] == "good star"


@pytest.mark.parametrize(
    ("text", "words", "runs", "repeats"),
    [
        ("good 👍👍👍 day", "good thumbs up day", 1, 2),
        ("so😂.", "so face with tears of joy.", 1, 0),
        ("flag 🇩🇪", "flag Germany", 1, 0),
        ("© 2026", "© 2026", 0, 0),
        ("天气很好☀️", "天气很好[太阳]", 1, 0),
    ],
)
def test_a_run_gives_its_name_once(text: str, words: str, runs: int, repeats: int) -> None:
    assert replace_emoji(text, "words") == (words, runs, repeats)


def test_styles_of_emoji() -> None:
    assert replace_emoji("a 👍 b", "remove")[0] == "a  b"
    assert replace_emoji("a 👍 b", "shortcodes")[0] == "a :thumbs_up: b"
    assert replace_emoji("👍👍", "words", count_runs=True)[0] == "thumbs up x2"


def test_names_follow_the_language_and_their_parts() -> None:
    assert language_of("天气 weather") == "zh"
    assert language_of("a long line of words with 天") == "en"
    assert name_of("☎", "en") is None or name_of("☎️", "en") is not None
    # Unknown sequences are named by what they are made of.
    assert name_of("🐍\u200d🚀", "en") == "snake rocket"
