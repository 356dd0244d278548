"""Ingest in whole: what each source held, what stops the run, and what tells that files are the same."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jobs.pipeline.runner import run_stages
from jobs.stages import ingest, source_facts
from refinery.recipe import RefineSettings
from refinery.sources.facts import IngestFacts, SourceFacts
from schemas.errors import QualityGateError
from schemas.settings import parse_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def settings(root: Path, **limits: float) -> RefineSettings:
    sources = [
        {"name": "good", "uri": str(root / "good"), "format": "jsonl"},
        {"name": "late", "uri": str(root / "late"), "format": "jsonl", "may_be_empty": True},
        {"name": "poor", "uri": str(root / "poor"), "format": "jsonl"},
    ]
    plain = {
        "recipe": {"name": "small", "sources": sources, "limits": limits},
        "runtime": {"output": str(root / "out"), "partitions": 1},
    }
    return parse_settings(RefineSettings, plain, where="test")


def write_lines(path: Path, *rows: dict[str, str]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_sources_are_counted_and_files_known_by_content(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_lines(tmp_path / "good" / "a.jsonl", {"text": "one"}, {"text": "two"})
    write_lines(tmp_path / "good" / "_SUCCESS")
    (tmp_path / "late").mkdir()
    write_lines(tmp_path / "poor" / "b.jsonl", {"text": "three"}, *[{"body": "four"}] * 3)

    with pytest.raises(QualityGateError) as stopped:
        run_stages(settings(tmp_path), (ingest.STAGE,))
    run = run_stages(settings(tmp_path, max_reject_fraction=0.8), (ingest.STAGE,))
    os.utime(tmp_path / "good" / "a.jsonl", (1, 1))
    capsys.readouterr()
    touched = run_stages(settings(tmp_path, max_reject_fraction=0.8), (ingest.STAGE,))
    again = run_stages(settings(tmp_path, max_reject_fraction=0.8), (ingest.STAGE,))

    assert "source 'poor': 3 of 4 rows are rejects for row:no_text, first b.jsonl at 1" in str(
        stopped.value
    )
    assert "fields found: body; set sources.poor.fields.text: body" in str(stopped.value)
    assert "good" not in str(stopped.value)
    record = run.records["ingest"]
    assert record.facts_of(IngestFacts).sources == {
        "good": SourceFacts(files=1, bytes=32, passed_over=1, fetches=2),
        "late": SourceFacts(),
        "poor": SourceFacts(files=1, bytes=69, fetches=1, rejects={"row:no_text": 3}),
    }
    assert touched.records["ingest"] == record
    assert again.records["ingest"] == record
    assert "published earlier" in capsys.readouterr().err


def test_a_source_without_rejects_has_no_example() -> None:
    class NoRows:
        def count_back(self, table: str) -> int:
            return 0

    assert source_facts.reject_examples(NoRows(), ["good"]) == {}  # type: ignore[arg-type]
