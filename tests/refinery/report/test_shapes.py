"""Distributions of the ledger, with the thresholds that the recipe set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from refinery.clean.config import CleanConfig
from refinery.filters.rules import rules_for
from refinery.report.shapes import COUNT_EDGES, SHARE_EDGES, edges_of, ledger_numbers
from refinery.report.tables import Tables
from tests.support.published import published_tables

MAP = pa.map_(pa.string(), pa.float64())
LEDGER = pa.schema(
    [
        ("lang", pa.string()), ("lang_score", pa.float64()), ("num_chars", pa.int64()),
        ("scores", MAP), ("values", MAP), ("counters", pa.map_(pa.string(), pa.int64())),
        ("reasons", pa.list_(pa.string())), ("drop_reason", pa.string()),
    ]
)  # fmt: skip


def row(lang: str | None, words: float, *reasons: str) -> dict[str, object]:
    return {
        "lang": lang, "lang_score": 0.9, "num_chars": int(words) * 5,
        "scores": [("quality", 0.25)], "values": [("words", words)], "counters": [("emoji", 2)],
        "reasons": list(reasons), "drop_reason": reasons[0] if reasons else None,
    }  # fmt: skip


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    rows = [row("en", 10, "gopher:words", "c4:lines"), row("en", 400), row("xx", 500), row(None, 1)]
    config = CleanConfig.model_validate({"language": {"min_score": 0.5}})
    return published_tables(
        tmp_path,
        {"clean": {"ledger": rows}},
        schemas={"ledger": LEDGER},
        settings={"clean": {"clean": config.model_dump(mode="json")}},
    )


def test_reasons_languages_and_changes_are_counted(tables: Tables) -> None:
    found = ledger_numbers(tables)

    assert found.drop_reasons == {"gopher:words": 1}
    assert found.all_reasons == {"gopher:words": 1, "c4:lines": 1}
    assert found.languages == {"en": 2, "xx": 1}
    assert found.counters == {"emoji": 8}


def test_every_document_stands_in_every_histogram_with_its_threshold(tables: Tables) -> None:
    shapes = ledger_numbers(tables).histograms

    assert {name: sum(shape.counts) for name, shape in shapes.items()} == {
        "length": 4, "language confidence": 4, "score: quality": 4,
    }  # fmt: skip
    assert shapes["language confidence"].marks == (0.5,)


def test_length_in_words_is_shown_for_each_group_of_bounds(tables: Tables) -> None:
    shapes = ledger_numbers(tables).rule_histograms

    words = {name: shape for name, shape in shapes.items() if name.startswith("gopher:words")}
    # The language without bounds of its own and the one that is unknown share the default's.
    assert {name.split(" · ")[1]: sum(shape.counts) for name, shape in words.items()} == {
        "en": 2, "default": 2,
    }  # fmt: skip
    (rule,) = (r for r in rules_for("en", CleanConfig().rules) if r.name == "gopher:words")
    assert rule.bounds.minimum in words["gopher:words · en"].marks


def test_shares_have_even_edges_and_counts_logarithmic_ones() -> None:
    by_name = {rule.name: rule for rule in rules_for("en", CleanConfig().rules)}

    assert edges_of(by_name["gopher:words"]) is COUNT_EDGES
    assert np.allclose(np.diff(SHARE_EDGES), 0.04)
    assert any(edges_of(rule) is SHARE_EDGES for rule in by_name.values())
