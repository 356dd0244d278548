"""The clean stage interrupted after its work: the guard's verdicts outlive the attempt."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.dataset as ds
import pytest

from jobs import clean_documents, ingest_documents
from jobs.runner import run_stages
from jobs.stage import StageContext
from refinery.recipe import RefineSettings
from schemas.settings import parse_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def settings(root: Path) -> RefineSettings:
    plain = {
        "recipe": {
            "name": "slow",
            "sources": [{"name": "texts", "uri": str(root / "texts"), "format": "text"}],
            "clean": {
                "language": {"min_score": None},
                "rules": {"enabled": False},
                "extract": {"guard": {"cpu_seconds": 0.3}},
            },
        },
        "runtime": {"output": str(root / "out"), "partitions": 1},
    }
    return parse_settings(RefineSettings, plain, where="test")


def interrupted(context: StageContext) -> None:
    clean_documents.STAGE.run(context)
    raise KeyboardInterrupt


def test_a_rerun_takes_the_timeouts_of_the_interrupted_run(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "fast.txt").write_text("one two three")
    (tmp_path / "texts" / "slow.txt").write_text("😂 a " * 1_000_000)
    asked = settings(tmp_path)
    broken = dataclasses.replace(clean_documents.STAGE, run=interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_stages(asked, (ingest_documents.STAGE, broken))
    (stored,) = (tmp_path / "out" / "tables" / "clean").rglob("*.killed/*.json")
    row = json.loads(stored.read_text())
    assert row["reason"] == "guard:timeout"
    stored.write_text(json.dumps({**row, "message": "of the first run"}))

    run = run_stages(asked, (ingest_documents.STAGE, clean_documents.STAGE))

    rejects = ds.dataset(run.store.table_uri(run.records["clean"], "rejects")).to_table()
    (reject,) = rejects.to_pylist()
    assert (reject["doc_id"], reject["reason"]) == (row["doc_id"], "guard:timeout")
    assert reject["message"] == "of the first run"
    assert run.records["clean"].counts["documents"] == 2
