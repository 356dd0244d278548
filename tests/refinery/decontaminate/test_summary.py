from __future__ import annotations

import json

from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from refinery.decontaminate.index import BenchmarkIndex
from refinery.decontaminate.summary import coverage, item_lines, read_item_lines

CONFIG = DecontaminateConfig(
    benchmarks=tuple(BenchmarkConfig(name=n, path=n, fields=("q",)) for n in ("long", "short"))
)
ITEMS = [
    Item("long", "1", " ".join(f"w{n}" for n in range(20)), "q", ("a", "b"), 1),
    Item("long", "2", " ".join(f"v{n}" for n in range(20))),
    Item("short", "1", "one two three four five"),
    Item("short", "2", "too short"),
]


def test_items_come_back_as_they_were() -> None:
    index = BenchmarkIndex.build(ITEMS, CONFIG)

    assert read_item_lines(item_lines(index, ITEMS).splitlines()) == ITEMS


def test_a_line_says_how_long_covered_and_contaminated_an_item_is() -> None:
    index = BenchmarkIndex.build(ITEMS, CONFIG)

    before, after = (
        [json.loads(line) for line in item_lines(index, ITEMS, found).splitlines()]
        for found in (None, {("long", "2"): 7})
    )

    assert [line["num_tokens"] for line in before] == [20, 20, 5, 2]
    assert [line["covered"] for line in before] == [True, True, True, False]
    assert [line["documents"] for line in before] == [None] * 4
    assert [line["documents"] for line in after] == [0, 7, 0, 0]


def test_coverage_counts_items_by_how_they_are_searched() -> None:
    index = BenchmarkIndex.build(ITEMS, CONFIG)

    found = {name: value.model_dump() for name, value in coverage(index).items()}
    assert found == {
        "long": {"ngram_tokens": 13, "items": 2, "whole_line": 0, "uncovered": 0, "share": 0.0},
        "short": {"ngram_tokens": 8, "items": 2, "whole_line": 1, "uncovered": 1, "share": 0.5},
    }
