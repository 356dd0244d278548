from __future__ import annotations

import random

import pytest

from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from refinery.decontaminate.index import BenchmarkIndex
from refinery.decontaminate.measure import Measurement, Search, measure, upper_bound
from refinery.decontaminate.mutations import MUTATIONS, embed, other_width, plant, wrapped
from schemas.manifest import RecallByMutation

CONFIG = DecontaminateConfig(benchmarks=(BenchmarkConfig(name="b", path="b", fields=("q",)),))
HOSTS = [
    "A page about nothing.\nIt has two lines of words.",
    "一个没有内容的页面，说的是别的事情。\n它有两行文字，都与题目无关。",
]


def items_of(texts: list[str]) -> list[Item]:
    return [Item("b", str(i), text) for i, text in enumerate(texts)]


def english(num: int, length: int) -> list[str]:
    return [" ".join(f"q{j}x{i}" for i in range(length)) for j in range(num)]


def chinese(num: int, length: int) -> list[str]:
    generator = random.Random(5)
    letters = [chr(c) for c in range(0x4E00, 0x4F00)]
    return ["".join(generator.choices(letters, k=length)) + "？" for _ in range(num)]


def measured(texts: list[str], ignored: frozenset[int] = frozenset()) -> Measurement:
    items = items_of(texts)
    search = Search(BenchmarkIndex.build(items, CONFIG), ignored)
    return measure(search, items, HOSTS, most=50, seed=1)


def test_planted_items_are_found_in_english_and_chinese() -> None:
    result = measured(english(20, 30) + chinese(20, 30))

    assert set(result.groups) == {"en", "zh"}
    for counts in result.groups.values():
        for name in MUTATIONS:
            assert counts[name] == RecallByMutation(planted=20, found=20), name
    assert result.recall()["verbatim"] == RecallByMutation(planted=40, found=40)
    assert (result.clean_documents, result.false_positives) == (200, 0)


def test_short_items_are_measured_apart_and_missed_inside_a_line() -> None:
    result = measured(english(20, 30) + english(5, 6))

    assert result.groups["en_short"]["verbatim"] == RecallByMutation(planted=5, found=5)
    assert result.groups["en_short"]["embedded"] == RecallByMutation(planted=5, found=0)
    assert result.recall()["embedded"] == RecallByMutation(planted=20, found=20)


def test_one_word_edit_in_13_words_is_missed_and_in_40_found() -> None:
    for length, found in ((13, 0), (40, 1)):
        counts = measured(english(1, length)).groups["en"]["one_word_edit"]
        assert counts == RecallByMutation(planted=1, found=found)


def test_ngrams_that_the_run_ignores_do_not_count_as_found() -> None:
    texts = english(2, 13)
    _, grams = BenchmarkIndex.build(items_of(texts), CONFIG).entries()

    counts = measured(texts, frozenset(grams.tolist()[:1])).groups["en"]

    assert counts["verbatim"] == RecallByMutation(planted=2, found=1)


def test_items_are_embedded_without_breaking_words() -> None:
    assert embed("one two three", "x y") == "one x y two three"
    assert embed("没有空格的一行", "题目") == "没有空题目格的一行"


def test_plants_stand_on_lines_of_their_own() -> None:
    assert plant("a\nb\nc\nd", "x").split("\n").count("x") == 1


def test_widths_are_swapped_both_ways() -> None:
    assert other_width("ab？") == "ａｂ?"


def test_wrapped_lines_never_break_a_word() -> None:
    text = " ".join(["word"] * 40)

    assert set(wrapped(text).split()) == {"word"}


@pytest.mark.parametrize(("count", "mean"), [(0, 2.9957), (1, 4.7439), (5, 10.513)])
def test_upper_bounds_are_those_of_the_poisson_table(count: int, mean: float) -> None:
    assert upper_bound(count, 1000) == pytest.approx(mean / 1000, rel=1e-3)
