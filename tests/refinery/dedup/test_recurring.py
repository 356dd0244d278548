from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest

from refinery.dedup.config import RecurringConfig
from refinery.dedup.recurring import (
    find_passages,
    frequent_passages,
    passages_of,
    recurring_edits,
)
from refinery.dedup.solving import ORDER
from refinery.text.edits import Edit, apply_edits

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPANS = RecurringConfig(span_documents=2, min_chars=1)


def cut(text: str, config: RecurringConfig) -> list[str]:
    return [text[p.start : p.end] for p in find_passages(text, config)]


def test_spans_are_three_sentences_in_a_row() -> None:
    text = "One is 3.5 m. Two! Is it three? Four."

    assert cut(text, SPANS) == ["One is 3.5 m. Two! Is it three?", "Two! Is it three? Four."]


def test_chinese_sentences_need_no_space() -> None:
    text = "今天下雨。“明天呢？”他问！后天晴。"

    assert cut(text, SPANS) == ["今天下雨。“明天呢？”他问！", "“明天呢？”他问！后天晴。"]


def test_a_line_end_ends_a_sentence() -> None:
    assert cut("Title\nFirst line\nlast", SPANS) == ["Title\nFirst line\nlast"]


def test_paragraphs_are_parted_by_blank_lines_and_take_these_along() -> None:
    config = RecurringConfig(paragraph_documents=2, min_chars=1)

    assert cut("a\nb\n\nc\n", config) == ["a\nb\n\n", "c\n"]


def test_short_passages_are_not_counted() -> None:
    config = RecurringConfig(line_documents=2, min_chars=3)

    assert cut("ab\nabc\n  x  \n首页\n", config) == ["abc\n"]


def test_wrapping_does_not_change_a_passage() -> None:
    one, other = find_passages("A b. C d. E f.", SPANS), find_passages("A  b. C\td. E f.", SPANS)

    assert [p.hash for p in one] == [p.hash for p in other]


@pytest.mark.parametrize("seed", range(20))
def test_sentences_cover_a_text_in_order(seed: int) -> None:
    text = "".join(random.Random(seed).choices('ab. \n。！!?”"3.…', k=200))
    spans = [(p.start, p.end) for p in find_passages(text, SPANS)]

    assert all(start < end <= len(text) for start, end in spans)
    assert all(one[0] < two[0] and one[1] < two[1] for one, two in itertools.pairwise(spans))


def test_frequent_lines_go_everywhere_and_spans_stay_once(spark: SparkSession) -> None:
    menu, story = "Home | About us\n", "It rains. We stay. Tea is made."
    texts = {"1": f"<b>{menu}{story}", "2": f"{menu}Other words here.\n{story}", "3": "Alone."}
    rows = [(i, text, [(0, 3, "")] if i == "1" else None) for i, text in texts.items()]
    documents = spark.createDataFrame(
        rows,
        "doc_id string, text string,"
        " spans array<struct<start: int, end: int, replacement: string>>",
    )
    # Document 2 comes first in the keepers' order.
    order = spark.createDataFrame(
        [(0, 0, 0, -int(i), i) for i in texts],
        "dump int, source_rank int, worse int, shorter int, doc_id string",
    ).select(*ORDER)
    config = RecurringConfig(line_documents=2, span_documents=2)

    passages = passages_of(documents, config).localCheckpoint()
    edits = recurring_edits(passages, frequent_passages(passages, config), order).collect()

    def after(doc_id: str) -> str:
        spans = [Edit(e.start, e.end) for e in edits if e.doc_id == doc_id]
        return apply_edits(texts[doc_id], spans)

    # The story is one line of document 1 and of document 2: as a line it goes from both.
    assert {e.reason for e in edits} == {"recurring:line", "recurring:span"}
    assert (after("1"), after("2"), after("3")) == ("<b>", "Other words here.\n", "Alone.")
    spans_of = [e.doc_id for e in edits if e.reason == "recurring:span"]
    assert set(spans_of) == {"1"}
