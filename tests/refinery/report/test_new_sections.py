"""Reasons, edits, hosts and the run's origin as the page shows them; nothing of the web is markup."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from refinery.clean.config import CleanConfig
from refinery.clean.facts import CleanFacts
from refinery.report.data import (
    DomainCount,
    EditCount,
    EditExample,
    LargeCluster,
    ReasonCount,
    RuleBound,
    RunFacts,
    SourcePair,
)
from refinery.report.edit_numbers import edit_counts, edit_examples, sampled_edits
from refinery.report.excerpts import read_texts
from refinery.report.page import render_page
from refinery.report.rule_numbers import rule_bounds
from refinery.report.run_facts import unmatched_lists
from refinery.report.sections.duplicates import dedup_section
from refinery.report.sections.edits import edits_section
from refinery.report.sections.funnel import funnel_section
from refinery.report.sections.origin import domains_section, run_section
from refinery.report.sections.reasons import explained, reasons_section
from tests.refinery.query.test_database import PLAIN, SCHEMAS
from tests.refinery.report.test_sections import Cells, dedup, report
from tests.support.published import published_tables
from tests.support.records import clean_stage_record

HOSTILE = "<img src=x onerror=alert(1)>"
WORDS = RuleBound(
    rule="gopher:words", group="zh", value="words", meaning="words of the document", minimum=100,
    maximum=200_000, source="own", failed=3, first=2,
)  # fmt: skip


def test_a_rule_is_explained_where_it_stands() -> None:
    other = WORDS.model_copy(update={"group": "default", "minimum": 50, "maximum": None})

    text = explained("gopher:words", (WORDS, other))

    assert "words of the document" in text
    assert "zh: from 100 to 200000" in text
    assert "other languages: at least 50" in text
    assert "own; 3 failed" in text
    assert "clean.language.min_score" in explained("language:unsure", ())
    assert explained(HOSTILE, ()) == "<code>&lt;img src=x onerror=alert(1)&gt;</code>"


def test_reasons_are_shown_by_source_and_by_language() -> None:
    def counts(*rows: tuple[str, str, int]) -> tuple[ReasonCount, ...]:
        return tuple(ReasonCount(reason=r, group=g, documents=n, text_bytes=9) for r, g, n in rows)

    tables = Cells(
        reasons_section(
            report(
                reasons_by_source=counts(
                    ("short", "web", 2), ("short", "news", 1), ("long", "web", 1)
                ),
                reasons_by_language=counts(("short", "zh", 3), ("long", "en", 1)),
            )
        )
    ).tables

    assert tables["First reason by source, in documents"] == [
        ["reason", "web", "news"], ["short", "2", "1"], ["long", "1", ""], ["all", "3", "1"],
    ]  # fmt: skip
    assert tables["First reason by language, in documents"][0] == ["reason", "zh", "en"]


def test_edits_are_counted_and_shown_with_what_they_took() -> None:
    edits = (
        EditCount(reason="pii:email", source="web", edits=3, documents=2, characters=40),
        EditCount(reason="pii:email", source="news", edits=1, documents=1, characters=9),
    )
    example = EditExample(
        reason="pii:email", url=HOSTILE, doc_id="d", before="to ", removed="a@b.cn<b>",
        replacement="<EMAIL>", after="\nend",
    )  # fmt: skip

    page = edits_section(report(edits=edits, edit_examples=(example,)))

    assert next(iter(Cells(page).tables.values()))[1] == ["pii:email", "4", "3", "40", "9"]
    assert "to <del>a@b.cn&lt;b&gt;</del><ins>&lt;EMAIL&gt;</ins> ⏎ end" in page
    assert "<img" not in page


LINES = "one line\nanother line\nlast"
EDITS = [
    {"doc_id": doc_id, "start": start, "end": end, "replacement": "", "stage": "clean", "reason": "r:x"}
    for doc_id, start, end in (("a", 9, 21), ("a", 0, 8), ("b", 0, 3))
]  # fmt: skip


def test_examples_are_the_first_edit_of_a_document_in_its_text(tmp_path: Path) -> None:
    cleaned = [
        {"doc_id": i, "source": "web", "url": None, "title": None, "text": LINES} for i in "ab"
    ]
    tables = published_tables(
        tmp_path,
        {"clean": {"cleaned": cleaned, "edits": EDITS,
                   "ledger": [{**PLAIN, "doc_id": i, "source": "web"} for i in "ab"]}},
        schemas={name: SCHEMAS[name] for name in ("cleaned", "edits", "ledger")},
    )  # fmt: skip

    shown = edit_examples(sampled_edits(tables), read_texts(tables, "ab"))

    assert [(one.doc_id, one.removed, one.after[:8]) for one in shown] == [
        ("a", "one line", "\nanother"), ("b", "one", " line\nan"),
    ]  # fmt: skip
    assert edit_counts(tables) == (
        EditCount(reason="r:x", source="web", edits=3, documents=2, characters=23),
    )


def test_a_rule_is_counted_by_the_languages_that_share_its_bounds(tmp_path: Path) -> None:
    def row(doc_id: str, lang: str, *reasons: str) -> dict[str, Any]:
        return {**PLAIN, "doc_id": doc_id, "source": "web", "lang": lang, "reasons": list(reasons),
                "drop_reason": reasons[0]}  # fmt: skip

    ledger = [
        row("a", "zh", "gopher:words"),
        row("b", "zh", "symbols:text_share", "gopher:words"),
        row("c", "tlh", "gopher:words"),
    ]
    tables = published_tables(
        tmp_path, {"clean": {"ledger": ledger}}, schemas={"ledger": SCHEMAS["ledger"]}
    )

    found = {(r.rule, r.group): (r.failed, r.first) for r in rule_bounds(tables, CleanConfig())}

    assert found == {
        ("gopher:words", "zh"): (2, 1),
        ("symbols:text_share", "zh"): (1, 1),
        ("gopher:words", "default"): (1, 1),
    }
    assert rule_bounds(tables, None) == ()


@pytest.mark.parametrize(
    ("url", "is_link"),
    [("https://x.org/a?b&c", True), ("javascript:alert(1)", False), ("ftp://x.org", False)],
)
def test_a_cluster_has_a_title_and_a_link_where_its_address_is_a_page(
    url: str, is_link: bool  # noqa: FBT001
) -> None:  # fmt: skip
    cluster = LargeCluster(cluster="0" * 32, title="A <b>", url=url, kept=1, removed=3, weakest_jaccard=0.8)  # fmt: skip
    numbers = dedup("a", "b").model_copy(
        update={
            "largest_clusters": (cluster,),
            "by_sources": (
                SourcePair(source="dump", kept_source="web", documents=159, text_bytes=9, least_jaccard=0.8),
            ),
            "recurring": {"line": 1254},
            "recurring_documents": 667,
        }
    )  # fmt: skip

    page = dedup_section(report(dedup=numbers))

    assert ("<a href=" in page) == is_link
    assert "A &lt;b&gt;" in page
    assert "0" * 32 not in page
    tables = Cells(page).tables
    assert tables["Recurring passages removed, from 667 documents"][1:] == [["line", "1,254"]]
    pairs = tables["Duplicates by their source and that of the document that they resemble"]
    assert pairs[1][:3] == ["dump", "web", "159"]


def test_hosts_and_the_run_are_shown_as_text() -> None:
    host = DomainCount(host=HOSTILE, documents=4, kept=1, text_bytes=9, kept_bytes=2, commonest_reason=None)  # fmt: skip
    run = RunFacts(
        command=("refinery", HOSTILE), code_version="1", packages={"python": "3"},
        recipe=f"name: {HOSTILE}", started_at="t",
    )  # fmt: skip

    page = domains_section(report(domains=(host,))) + run_section(report(run=run))

    assert "<img" not in page
    assert "earlier version" in run_section(report())


def test_an_unfinished_run_has_a_page_that_says_so() -> None:
    data = report(
        root="", seq_len=0, vocab_size=0, packing={}, stages_missing=("tokenise", "pack"),
        unmatched_lists=("blocked.txt",),
    )  # fmt: skip

    page = render_page(data)

    assert "This run is not finished: tokenise, pack published nothing yet" in page
    assert "No dataset yet" in page
    assert "blocked.txt: matches no document" in funnel_section(data)
    assert "not finished" not in render_page(report())


def test_entries_that_mean_no_document_are_named() -> None:
    facts = CleanFacts(address_entries={"list blocked.txt": 0, "domain a.org": 3})
    record = clean_stage_record({}).model_copy(update={"facts": facts.model_dump(mode="json")})

    assert unmatched_lists({"clean": record}) == ("list blocked.txt",)
    assert unmatched_lists({"clean": clean_stage_record({})}) == ()
    assert unmatched_lists({}) == ()
