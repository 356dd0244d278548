"""A source that gives nothing, or mostly rejects, stops the run and is told what its files hold."""

from __future__ import annotations

import pytest

from refinery.sources.config import ReadLimits, SourceConfig
from refinery.sources.facts import IngestFacts, SourceFacts
from refinery.sources.gate import RejectExample, poor_sources, refuse

LIMITS = ReadLimits()


def source(**settings: object) -> SourceConfig:
    return SourceConfig.model_validate({"name": "dump", "uri": "/x", "format": "jsonl", **settings})


@pytest.mark.parametrize(
    ("facts", "is_poor"),
    [
        (SourceFacts(files=1, fetches=9, rejects={"json:broken": 1}), False),
        (SourceFacts(files=1, fetches=8, rejects={"json:broken": 1}), True),
        (SourceFacts(files=1), True),
        (SourceFacts(files=1, records={"not_html": 5}), True),
        # A link to nothing or a pipe holds no document that could be lost.
        (SourceFacts(files=2, fetches=1, rejects={"file:no_file": 1}), False),
    ],
)
def test_a_tenth_of_rejects_is_allowed_by_default(facts: SourceFacts, is_poor: bool) -> None:  # noqa: FBT001
    assert bool(poor_sources([source()], {"dump": facts}, LIMITS)) == is_poor


def test_the_recipe_sets_what_is_allowed() -> None:
    facts = {"dump": SourceFacts(files=1, fetches=1, rejects={"json:broken": 1})}

    assert poor_sources([source()], facts, ReadLimits(max_reject_fraction=0.5)) == []
    empty = {"dump": SourceFacts()}
    assert poor_sources([source(may_be_empty=True)], empty, LIMITS) == []


def test_the_fields_that_were_found_are_named() -> None:
    facts = {"dump": SourceFacts(files=1, bytes=900, rejects={"row:no_text": 50})}
    message = "no text field 'text': fields found: id, content, url"
    example = RejectExample("row:no_text", "a.jsonl", 0, message)

    error = refuse([source()], facts, {"dump": example}, LIMITS)

    assert error.exit_code == 4
    assert str(error) == (
        "ingest stops: source 'dump': gives no document (1 files, 900 bytes); "
        "50 of 50 rows are rejects for row:no_text, first a.jsonl at 0: "
        "no text field 'text': fields found: id, content, url; "
        "set sources.dump.fields.text: content"
    )


def test_the_share_and_the_bound_are_named() -> None:
    facts = {"dump": SourceFacts(files=9, fetches=3, rejects={"file:other_form": 1})}
    example = RejectExample("file:other_form", "b.parquet", 0, "is parquet, declared jsonl")

    said = str(refuse([source()], facts, {"dump": example}, LIMITS))

    assert "1 of 4 records are rejects for file:other_form, first b.parquet at 0" in said
    assert "25.0% rejects in all, at most recipe.limits.max_reject_fraction 10.0%" in said


def test_records_that_are_no_document_are_named() -> None:
    facts = {"dump": SourceFacts(files=1, bytes=10, records={"status_404": 7, "request": 7})}

    said = str(refuse([source()], facts, {}, LIMITS))

    assert "its files hold 7 status_404, 7 request" in said
    assert IngestFacts(sources=facts).sources["dump"].reject_fraction == 0
