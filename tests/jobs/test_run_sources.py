"""A recipe whose sources are runs: their kept texts as they are, once each, by weight."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.pipeline.runner import RefineRun, run_stages
from jobs.refine import STAGES
from jobs.stages.run_sources import list_runs
from refinery.recipe import RefineSettings
from refinery.report.tables import Tables
from refinery.sources.config import SourceConfig
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from schemas.manifest import read_manifest
from schemas.settings import parse_settings
from tests.support.whole import WORDS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def text(seed: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=60)).capitalize() + "."


def settings(root: Path, output: str, **parts: Any) -> RefineSettings:
    recipe = {
        "name": "union",
        "clean": {"language": {"min_score": None}, "rules": {"enabled": False}},
        "vocabulary": {"tokenizer": str(root / "tokenizer")},
        "split": {"heldout_fraction": 0.2},
        "packing": {"seq_len": 32},
        **parts,
    }
    runtime = {"output": str(root / output), "tables": str(root / "tables"), "partitions": 1}
    plain = {"recipe": recipe, "runtime": runtime}
    return parse_settings(RefineSettings, plain, where="test")


def write_run(root: Path) -> None:
    """A run that masks an address, drops nothing, and keeps a text that is too short for others."""
    write_tokenizer(
        train_bpe([text(0)], VocabularyConfig(size=400, sentinels=2)), root / "tokenizer", 2
    )
    texts = [text(1), "Too short.", f"{text(2)} Write to a.b@example.org now."]
    rows = [{"text": one, "url": None, "licence": "cc0"} for one in texts]
    (root / "mon.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"name": "web", "uri": str(root / "mon.jsonl"), "format": "jsonl"}
    clean = {"language": {"min_score": None}, "rules": {"enabled": False, "pii": {}}}
    asked = settings(root, "days/mon", sources=[source], clean=clean)
    run_stages(asked, STAGES, last="tokenise")


def union(root: Path, output: str, partitions: int) -> RefineRun:
    sources = [
        {"name": "days", "uri": f"{root}/days/*", "format": "run"},
        {"name": "books", "uri": str(root / "books"), "format": "text"},
    ]
    rules = {"pii": {}, "bounds": {"gopher:words": {"minimum": 1000}}}
    asked = settings(
        root, output, sources=sources,
        clean={"language": {"min_score": None}, "rules": rules},
        mixture={"weights": {"days": 0.9, "books": 0.1}},
    )  # fmt: skip
    # Tables of its own, so that each number of partitions computes everything.
    runtime = {"partitions": partitions, "tables": None}
    asked = asked.model_copy(update={"runtime": asked.runtime.model_copy(update=runtime)})
    return run_stages(asked, STAGES)


def test_a_run_is_a_source_of_a_mixture(spark: SparkSession, tmp_path: Path) -> None:
    write_run(tmp_path)
    (tmp_path / "books").mkdir()
    (tmp_path / "books" / "short.txt").write_text("This one is too short.")

    run, other = union(tmp_path, "once", 1), union(tmp_path, "twice", 3)

    tables = Tables(run.store, run.records)
    cleaned = list(tables.rows("clean", "cleaned", ("source", "text", "reasons")))
    kept = {row["text"] for row in cleaned if not row["reasons"]}
    assert kept == {text(1), "Too short.", f"{text(2)} Write to <EMAIL> now."}
    assert [row["source"] for row in cleaned if row["reasons"]] == ["books"]
    fetches = list(tables.rows("ingest", "fetches", ("source", "file", "meta")))
    metas = [json.loads(row["meta"]) for row in fetches if row["source"] == "days"]
    assert [row["file"] for row in fetches if row["source"] == "days"] == ["mon"] * 3
    assert {(meta["license"], len(meta["run_doc_id"])) for meta in metas} == {("cc0", 32)}
    listed = list_runs(SourceConfig(name="days", uri=f"{tmp_path}/days/*", format="run"))
    assert [(file.name, len(file.sha256)) for file in listed.files] == [("mon", 64)]
    roots = {read_manifest(tmp_path / name / "dataset").root for name in ("once", "twice")}
    assert len(roots) == 1
    assert {n: r.fingerprint for n, r in run.records.items()} == {
        n: r.fingerprint for n, r in other.records.items()
    }
