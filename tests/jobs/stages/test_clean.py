"""The clean stage interrupted after its work, and ranking what it cleaned."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.dataset as ds
import pytest

from jobs.pipeline.runner import run_stages
from jobs.pipeline.stage import StageContext
from jobs.stages import clean as clean_documents
from jobs.stages import ingest as ingest_documents
from jobs.stages import quality as train_quality
from refinery.recipe import RefineSettings
from schemas.settings import parse_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def settings(root: Path, sources: tuple[str, ...] = ("texts",), **recipe: Any) -> RefineSettings:
    plain = {
        "recipe": {
            "name": "slow",
            "sources": [{"name": n, "uri": str(root / n), "format": "text"} for n in sources],
            "clean": {
                "language": {"min_score": None},
                "rules": {"enabled": False},
                "extract": {"guard": {"cpu_seconds": 1.0}},
            },
            **recipe,
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


def test_the_best_of_each_source_stay_and_nothing_is_left_aside(
    spark: SparkSession, tmp_path: Path
) -> None:
    for name, phrase in (("good", "the history of the town"), ("noisy", "buy cheap now click")):
        (tmp_path / name).mkdir()
        for number in range(9):
            text = " ".join([phrase] * (number + 1)) + f" number {number}"
            (tmp_path / name / f"{number}.txt").write_text(text)
    quality = {"positive": ["good"], "negative": ["noisy"], "dim": 8, "bucket": 1000}
    clean = {
        "language": {"min_score": None}, "rules": {"enabled": False},
        "quality": {"top": {"fraction": 0.5, "by": ["source"]}},
    }  # fmt: skip
    asked = settings(tmp_path, ("good", "noisy"), quality=quality, clean=clean)

    run = run_stages(asked, (ingest_documents.STAGE, train_quality.STAGE, clean_documents.STAGE))

    record = run.records["clean"]
    cleaned, ledger = (
        ds.dataset(run.store.table_uri(record, name)).to_table().to_pylist()
        for name in ("cleaned", "ledger")
    )
    verdicts = {row["doc_id"]: row["drop_reason"] for row in cleaned}
    assert verdicts == {row["doc_id"]: row["drop_reason"] for row in ledger}
    for source in ("good", "noisy"):
        rows = [row for row in cleaned if row["source"] == source]
        ranked = sorted(rows, key=lambda row: (-dict(row["scores"])["quality"], row["doc_id"]))
        reasons = [row["drop_reason"] for row in ranked]
        assert reasons == [None] * 5 + ["top:quality"] * 4
    assert not list((tmp_path / "out" / "tables" / "clean").rglob("_unranked"))
