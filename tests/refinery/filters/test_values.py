from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinery.filters.config import RulesConfig
from refinery.filters.rules import failed_rules
from refinery.filters.values import compute_values
from refinery.text.batch import TextBatch

WORD = re.compile("[\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff]|[a-z0-9]+")


def words_of(text: str) -> list[str]:
    return WORD.findall(text.lower())


def top_share(words: list[str], n: int) -> float:
    """The paper's words, by hand: characters in the n-gram that covers most."""
    grams = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    best = max((sum(map(len, g)) * c for g, c in grams.items() if c > 1), default=0)
    return best / max(1, sum(map(len, words)))


def duplicate_share(words: list[str], n: int) -> float:
    """Characters inside any n-gram that occurs twice, each once."""
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    counts = Counter(grams)
    inside = {i + k for i, gram in enumerate(grams) if counts[gram] > 1 for k in range(n)}
    return sum(len(words[i]) for i in inside) / max(1, sum(map(len, words)))


TEXTS = st.lists(
    st.lists(st.sampled_from(["the", "of", "x1", "月", "天", "alpha"]), max_size=60).map(" ".join),
    min_size=1,
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_repetition_equals_the_definition_by_hand(texts: list[str]) -> None:
    values = compute_values(TextBatch.of(texts))

    for index, text in enumerate(texts):
        words = words_of(text)
        for n in (2, 3, 4):
            assert values[f"top_{n}gram_chars"][index] == pytest.approx(top_share(words, n))
        for n in range(5, 11):
            assert values[f"dup_{n}gram_chars"][index] == pytest.approx(duplicate_share(words, n))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="ab月。.!\n •-…#", max_size=50), min_size=2, max_size=4))
def test_values_do_not_depend_on_the_batch(texts: list[str]) -> None:
    together = compute_values(TextBatch.of(texts))

    for index, text in enumerate(texts):
        alone = compute_values(TextBatch.of([text]))
        assert {n: v[index] for n, v in together.items()} == {n: v[0] for n, v in alone.items()}


def test_lines_and_paragraphs_by_hand() -> None:
    text = "• one line.\nsame\nsame\n\nsecond par\n\nsecond par\nends…"

    values = {n: float(v[0]) for n, v in compute_values(TextBatch.of([text])).items()}

    assert values["lines"] == 6
    assert values["bullet_line_fraction"] == pytest.approx(1 / 6)
    assert values["ellipsis_line_fraction"] == pytest.approx(1 / 6)
    assert values["punctuated_line_fraction"] == pytest.approx(2 / 6)
    assert values["short_line_fraction"] == 1.0
    assert values["dup_line_fraction"] == pytest.approx(2 / 6)
    assert values["dup_line_chars"] == pytest.approx(14 / 44)
    assert values["dup_paragraph_fraction"] == 0.0


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three? Four", 4),
        ("One line\nAnother line.\n\nA third", 3),
        ("He paid 3.5 dollars, i.e. little. Then he left.", 2),
        ("Wait... what? No.", 2),
        ("今天很好。我们走吧！“好的。”他说。", 3),
        ("真的？！是的。", 2),
        ("", 0),
    ],
)
def test_sentences_are_lines_and_ends_inside_of_them(text: str, sentences: int) -> None:
    # A text before and behind: nothing may reach over its border.
    values = compute_values(TextBatch.of(["Before.", text, " After"]))

    assert values["sentences"][1] == sentences


def test_what_c4_looks_for_in_a_page() -> None:
    pages = [
        "Here is Lorem  ipsum and { code }",
        "ipsum lorem",
        "lorem",
        "x" * 200 + "\n" + "y" * 199,
    ]

    values = compute_values(TextBatch.of(pages))

    assert values["lorem_ipsum"].tolist() == [1, 0, 0, 0]
    assert values["curly_brackets"].tolist() == [1, 0, 0, 0]
    assert values["long_lines"].tolist() == [0, 0, 0, 1]


def test_rules_of_c4_run_by_recipe_only() -> None:
    values = compute_values(TextBatch.of(["lorem ipsum { and so on }"]))
    wanted = ("c4:lorem_ipsum", "c4:curly_bracket", "c4:sentences", "mc4:long_lines")

    (silent,) = failed_rules(values, ["en"], RulesConfig())
    (found,) = failed_rules(values, ["en"], RulesConfig(optional=wanted))

    assert not set(silent) & set(wanted)
    assert tuple(reason for reason in found if reason in wanted) == wanted


def test_chinese_is_counted_in_characters_and_never_by_blanks() -> None:
    values = compute_values(TextBatch.of(["今天天气很好，我们去公园。"]))

    assert values["words"][0] == 11
