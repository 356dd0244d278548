"""The report's tables of wording that is no sign of a leak: templates and boilerplate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from refinery.decontaminate.facts import (
    BenchmarksFacts,
    Coverage,
    DecontaminateFacts,
    IgnoredNgram,
    LastNgram,
    SelfMeasurement,
    TemplateNgram,
)
from refinery.report.contamination_numbers import contamination_numbers
from refinery.report.data import ContaminationNumbers, FrequentNgram
from refinery.report.excerpts import DocumentText
from refinery.report.sections.contamination import frequent_table, templates_table
from schemas.manifest import RecallByMutation
from tests.support.published import published_tables

NUMBERS = ContaminationNumbers(
    documents_by_benchmark={},
    items_by_benchmark={},
    items=40,
    uncovered_items=0,
    recall={},
    clean_documents=10,
    false_positives=0,
    samples=(),
)


def cells(table: str) -> list[list[str]]:
    """Text of the body's cells, as escaped as it is in the page."""
    body = table.split("<tbody>")[1].split("</tbody>")[0]
    rows = body.split("<tr>")[1:]
    return [
        [cell.split(">", 1)[1].split("</t", 1)[0] for cell in row.split("<t")[1:]] for row in rows
    ]


def test_templates_are_counted_in_the_caption_and_escaped_in_the_rows() -> None:
    found = NUMBERS.model_copy(
        update={
            "template_ngrams": 1234,
            "max_ngram_items": 10,
            "templates": (FrequentNgram(ngram="which <b> of these", documents=2500),),
        }
    )

    table = templates_table(found)

    assert "1,234 n-grams are in more than 10 items" in table
    assert cells(table) == [["<bdi>which &lt;b&gt; of these</bdi>", "2,500"]]


def test_only_ten_templates_are_shown_of_an_unknown_bound() -> None:
    rows = tuple(FrequentNgram(ngram=f"words {i}", documents=100 - i) for i in range(30))
    found = NUMBERS.model_copy(update={"template_ngrams": 30, "templates": rows})

    table = templates_table(found)

    assert "30 n-grams are in many items" in table
    assert [row[1] for row in cells(table)] == [str(100 - i) for i in range(10)]


def test_benchmarks_without_templates_show_no_table() -> None:
    assert templates_table(NUMBERS) == ""
    assert frequent_table(NUMBERS) == ""


def test_boilerplate_of_a_source_and_the_items_it_would_hide_are_two_tables() -> None:
    found = NUMBERS.model_copy(
        update={
            "ignored_ngrams": 2,
            "ignored": (FrequentNgram(ngram="all rights reserved", documents=1500),),
            "last": (FrequentNgram(ngram="once <upon> a time", documents=11, item="tales 7"),),
        }
    )

    ignored, last = frequent_table(found).split("</table>")[:2]

    assert "2 n-grams are in so many documents of one source" in ignored
    assert cells(ignored) == [["all rights reserved", "1,500"]]
    assert cells(last) == [["tales 7", "once &lt;upon&gt; a time", "11"]]


def test_numbers_are_read_from_the_records(tmp_path: Path) -> None:
    coverage = {"tales": Coverage(ngram_tokens=8, items=4, whole_line=1, uncovered=1, share=0.25)}
    facts = DecontaminateFacts(
        coverage=coverage,
        recall=SelfMeasurement(
            recall={"verbatim": RecallByMutation(planted=10, found=9)},
            recall_by_group={"en": {"verbatim": RecallByMutation(planted=0, found=0)}},
            clean_documents=50,
            false_positives=1,
            false_positives_per_million_below=None,
        ),
        ignored_ngrams=(IgnoredNgram(ngram="all rights", documents=30),),
        last_ngrams=(LastNgram(benchmark="tales", item="7", ngram="once upon", documents=12),),
    )
    template = TemplateNgram(ngram="which of these", items=25)
    hits: list[dict[str, Any]] = [
        {"doc_id": doc, "benchmark": "tales", "item": item, "start": 4, "end": 9}
        for doc, item in (("a", "1"), ("a", "2"), ("b", "1"))
    ]
    tables = published_tables(
        tmp_path,
        {"benchmarks": {}, "decontaminate": {"contamination": hits}},
        facts=[BenchmarksFacts(coverage=coverage, templates=(template,)), facts],
        counts={"decontaminate": {"items": 4, "uncovered_items": 1, "template_ngrams": 3}},
        settings={"decontaminate": {"decontaminate": {"max_ngram_items": 20}}},
    )
    text = DocumentText(doc_id="a", source="web", url=None, title=None, text="the wise fox")

    found = contamination_numbers(tables, {"a": text})

    assert found is not None
    assert found.documents_by_benchmark == {"tales": 2}
    assert found.items_by_benchmark == {"tales": 2}
    assert found.recall == {"verbatim": (9, 10)}
    (row,) = found.coverage
    assert (row.benchmark, row.ngram_tokens, row.items) == ("tales", 8, 4)
    assert (row.whole_line, row.uncovered) == (1, 1)
    assert found.templates == (FrequentNgram(ngram="which of these", documents=25),)
    assert (found.template_ngrams, found.max_ngram_items) == (3, 20)
    assert found.ignored == (FrequentNgram(ngram="all rights", documents=30),)
    assert found.last == (FrequentNgram(ngram="once upon", documents=12, item="tales 7"),)
    assert [(s.before, s.marked, s.after) for s in found.samples] == [("the ", "wise ", "fox")] * 2
