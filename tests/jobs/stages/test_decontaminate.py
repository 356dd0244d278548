"""The two stages on a handful of documents: what was found, what was ignored, and what it measures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.pipeline.stage import Stage, StageContext
from jobs.stages import benchmarks as register_benchmarks
from jobs.stages import decontaminate as decontaminate_documents
from jobs.stages.contamination_alarm import check_contamination
from refinery.decontaminate.facts import BenchmarksFacts, DecontaminateFacts
from refinery.publish.facts import StageFacts
from refinery.publish.records import StageRecord
from refinery.publish.store import Store
from refinery.recipe import RefineSettings
from schemas.errors import QualityGateError
from schemas.manifest import RecallByMutation
from schemas.settings import parse_settings

LICENCE = " ".join(f"licence{i}" for i in range(13))
QUESTIONS = {
    "leaked": " ".join(f"q{i}" for i in range(20)),
    "quoting": f"{LICENCE} " + " ".join(f"own{i}" for i in range(13)),
    "clean": " ".join(f"c{i}" for i in range(20)),
    "short": "yes or no",
}


def context(
    root: Path,
    spark: SparkSession,
    records: dict[str, StageRecord],
    name: str,
    **decontaminate: float,
) -> StageContext:
    benchmark = {"name": "b", "path": str(root / "b.jsonl"), "fields": ["q"], "id_field": "id"}
    plain = {
        "recipe": {
            "name": "small",
            "sources": [{"name": "web", "uri": "none", "format": "text"}],
            "decontaminate": {"benchmarks": [benchmark], "max_ngram_documents": 2, **decontaminate},
        },
        "runtime": {"output": str(root)},
    }
    settings = parse_settings(RefineSettings, plain, where="test")
    store = Store(str(root / "tables"))
    return StageContext(
        recipe=settings.recipe, runtime=settings.runtime, store=store, records=records,
        attempt_uri=store.new_attempt(name), fingerprint="0" * 64, spark=spark,
    )  # fmt: skip


def record(
    stage: str, attempt: str, artefacts: dict[str, str], counts: dict[str, int]
) -> StageRecord:
    return StageRecord(
        stage=stage, fingerprint="0" * 64, attempt=attempt, tables={}, artefacts=artefacts, counts=counts,
        inputs={}, seconds=0.0, started_at="2000-01-01T00:00:00+00:00", code_version="0",
    )  # fmt: skip


def run(stage: Stage, made: StageContext, records: dict[str, StageRecord]) -> StageFacts | None:
    facts = stage.run(made)
    attempt = made.attempt_uri.rsplit("/", 1)[-1]
    records[stage.name] = record(stage.name, attempt, made.artefact_hashes(), made.counts)
    return facts


def test_stages_find_ignore_and_measure(spark: SparkSession, tmp_path: Path) -> None:
    lines = [json.dumps({"id": name, "q": text}) for name, text in QUESTIONS.items()]
    (tmp_path / "b.jsonl").write_text("\n".join(lines))
    texts = [f"page {i}\n{LICENCE}\nend" for i in range(4)]
    texts += [f"before {QUESTIONS['leaked']} after"] + [f"other words {i}" for i in range(5)]
    table = {"doc_id": [f"{i:032}" for i in range(10)], "source": ["web"] * 10, "text": texts}
    folder = tmp_path / "tables" / "clean" / "a" / "table=cleaned"
    folder.mkdir(parents=True)
    pq.write_table(pa.table(table), folder / "part.parquet")
    records = {"clean": record("clean", "a", {}, {})}

    registered = context(tmp_path, spark, records, "benchmarks")
    benchmarks = run(register_benchmarks.STAGE, registered, records)
    made = context(tmp_path, spark, records, "decontaminate", max_removal_fraction=0.1)
    facts = decontaminate_documents.STAGE.run(made)

    assert isinstance(benchmarks, BenchmarksFacts)
    assert isinstance(facts, DecontaminateFacts)
    assert registered.counts["items"] == 4
    assert benchmarks.coverage["b"].uncovered == 1
    assert benchmarks.uncovered == (("b", "short"),)
    hits = made.read_back("contamination").collect()
    assert [(hit["doc_id"], hit["item"]) for hit in hits] == [(f"{4:032}", "leaked")]
    # n is 8 here, so 13 words of licence are six n-grams.
    assert [ngram.documents for ngram in facts.ignored_ngrams] == [4] * 6
    assert all(ngram.ngram in LICENCE for ngram in facts.ignored_ngrams)
    items = made.attempt_uri + "/files/items.jsonl"
    with Path(items).open() as rows:
        assert {r["item"]: r["documents"] for r in map(json.loads, rows)} == {
            "leaked": 1,
            "quoting": 0,
            "clean": 0,
            "short": 0,
        }
    assert facts.recall.recall["verbatim"] == RecallByMutation(planted=3, found=3)
    assert facts.recall.false_positives == 0
    strict = context(tmp_path, spark, records, "decontaminate").recipe
    with pytest.raises(QualityGateError, match="1 of 10 documents hold a benchmark item"):
        check_contamination(dataclasses.replace(made, recipe=strict), num_documents=10)
