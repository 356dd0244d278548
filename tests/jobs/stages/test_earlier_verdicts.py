"""What later stages read of earlier verdicts, and the tables that a stage keeps while it runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.pipeline.scratch import scratch
from jobs.pipeline.stage import StageContext
from jobs.stages.earlier_verdicts import removed_duplicates, written_edits
from refinery.publish.store import Store
from refinery.recipe import RefineSettings
from refinery.tables import arrow_schema
from schemas.settings import parse_settings
from schemas.tables import TABLES
from tests.support.published import published_tables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EDIT = {"doc_id": "a", "start": 0, "end": 4, "replacement": "", "reason": "lines:c4"}
DUPLICATE = {
    "doc_id": "b", "source": "web", "kept_id": "a", "kept_source": "web", "method": "minhash",
    "jaccard": 0.9, "containment": 1.0, "cluster": "a",
}  # fmt: skip


def settings(root: Path, **dedup: Any) -> RefineSettings:
    sources = [{"name": "web", "uri": "none", "format": "text"}]
    recipe = {"name": "n", "sources": sources, "dedup": dedup}
    plain = {"recipe": recipe, "runtime": {"output": str(root)}}
    return parse_settings(RefineSettings, plain, where="test")


def column_types(table: str) -> dict[str, str]:
    return {column.name: column.type for column in TABLES[table].columns}


@pytest.fixture
def context(spark: SparkSession, tmp_path: Path) -> StageContext:
    tables = published_tables(
        tmp_path / "tables",
        {
            "clean": {"edits": [{**EDIT, "stage": "clean"}]},
            "dedup": {"edits": [{**EDIT, "stage": "dedup"}], "duplicates": [DUPLICATE]},
            "decontaminate": {"edits": []},
        },
        schemas={name: arrow_schema(column_types(name)) for name in ("edits", "duplicates")},
    )
    asked = settings(tmp_path)
    store = Store(str(tmp_path / "tables"))
    return StageContext(
        recipe=asked.recipe, runtime=asked.runtime, store=store, records=tables.records,
        attempt_uri=store.new_attempt("tokenise"), fingerprint="0" * 64, spark=spark,
    )  # fmt: skip


def test_edits_of_all_asked_stages_come_together(context: StageContext) -> None:
    edits = written_edits(context, ("clean", "dedup", "decontaminate"))

    assert edits is not None
    assert sorted(row["stage"] for row in edits.collect()) == ["clean", "dedup"]
    assert written_edits(context, ("decontaminate", "never_run")) is None


def test_marked_duplicates_are_not_removed(context: StageContext, tmp_path: Path) -> None:
    marking = dataclasses.replace(context, recipe=settings(tmp_path, mode="mark").recipe)

    assert [row["doc_id"] for row in removed_duplicates(context).collect()] == ["b"]
    assert removed_duplicates(marking).collect() == []


def test_scratch_tables_are_read_back_and_leave_nothing(context: StageContext) -> None:
    folder = Path(f"{context.attempt_uri}.scratch")

    with scratch(context) as persist:
        first = persist(context.spark.range(3))
        second = persist(first.where("id > 0"))
        assert sorted(row["id"] for row in second.collect()) == [1, 2]
        assert len(list(folder.iterdir())) == 2

    assert not folder.exists()
