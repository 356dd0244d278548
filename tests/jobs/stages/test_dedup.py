from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.pipeline.stage import StageContext
from jobs.stages.dedup import STAGE
from jobs.stages.dedup_alarm import check_losses
from refinery.dedup.facts import DedupFacts, RecurringPassage
from refinery.publish.records import StageRecord
from refinery.publish.store import Store, summarise_table
from refinery.recipe import RefineSettings
from schemas.errors import ContractError, QualityGateError, SettingsError
from schemas.settings import parse_settings
from tests.support.records import clean_stage_record

if TYPE_CHECKING:
    from pyspark.sql import Row, SparkSession

Texts = dict[str, tuple[str, str]]  # id -> (source, text)


def words(seed: int, count: int = 120) -> list[str]:
    return random.Random(seed).choices([f"w{i}" for i in range(5000)], k=count)


def changed(tokens: list[str], place: int) -> str:
    return " ".join([*tokens[:place], "other", *tokens[place + 1 :]])


A, B, E = words(1), words(2), words(3)
MENU = "home news shop about us contact\n"
FIRST: Texts = {
    "a1" + "0" * 30: ("old", MENU + " ".join(A)),
    "a2" + "0" * 30: ("old", changed(A, 60)),
    "b1" + "0" * 30: ("old", MENU + " ".join(B)),
    "b2" + "0" * 30: ("old", changed(B, 60)),
}
SECOND: Texts = {
    # Holds all of a1 and b1, which are nothing like each other: it joins their clusters.
    "07" + "0" * 30: ("new", " ".join(A + B)),
    "e1" + "0" * 30: ("new", " ".join(E)),
    "e2" + "0" * 30: ("new", changed(E, 30)),
    # Equal to a2, which is itself removed: its keeper is a1.
    "f1" + "0" * 30: ("new", changed(A, 60)),
}


def settings(output: Path, sources: list[str], **dedup: Any) -> RefineSettings:
    plain = {
        "recipe": {
            "name": "dumps",
            "sources": [{"name": n, "uri": "none", "format": "text"} for n in sources],
            "dedup": {
                "measure": "containment",
                "num_bands": 56,
                "rows_per_band": 2,
                "index_buckets": 4,
                **dedup,
            },
        },
        "runtime": {"output": str(output), "partitions": 2},
    }
    return parse_settings(RefineSettings, plain, where="test")


def clean_record(store: Store, texts: Texts) -> StageRecord:
    """A published clean stage that holds these texts."""
    rows = [
        {"doc_id": i, "source": source, "text": text, "num_chars": len(text)}
        for i, (source, text) in texts.items()
    ]
    schema = pa.schema([(n, pa.string()) for n in ("doc_id", "source", "text")])
    table = pa.Table.from_pylist(rows, schema.append(pa.field("num_chars", pa.int32())))
    summaries = {}
    for name in ("cleaned", "ledger"):
        folder = Path(store.root) / "clean" / "run" / f"table={name}"
        folder.mkdir(parents=True)
        pq.write_table(table, folder / "part.parquet")
        summaries[name] = summarise_table(str(folder))
    return clean_stage_record(summaries)


def run_stage(spark: SparkSession, asked: RefineSettings, texts: Texts) -> StageContext:
    """Run and publish the stage as the runner does."""
    store = Store(f"{asked.runtime.output}/tables")
    context = StageContext(
        recipe=asked.recipe,
        runtime=asked.runtime,
        store=store,
        records={"clean": clean_record(store, texts)},
        attempt_uri=store.new_attempt("dedup"),
        fingerprint="1" * 64,
        spark=spark,
    )
    facts = STAGE.run(context)
    assert isinstance(facts, DedupFacts)
    names = [n for n in ("signatures", "edges", "duplicates") if not context.read_back(n).isEmpty()]
    store.publish(
        StageRecord(
            stage="dedup",
            fingerprint=context.fingerprint,
            attempt=context.attempt_uri.rsplit("/", 1)[-1],
            tables={n: summarise_table(f"{context.attempt_uri}/table={n}") for n in names},
            artefacts={},
            inputs={},
            counts=context.counts,
            facts=facts.model_dump(mode="json"),
            seconds=0.0,
            started_at="2000-01-01T00:00:00+00:00",
            code_version="0",
        )
    )
    return context


def rows(context: StageContext, table: str = "duplicates") -> list[Row]:
    return sorted(context.read_back(table).collect(), key=lambda row: row.doc_id)


@pytest.fixture(scope="module")
def two_runs(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[StageContext, StageContext]:
    folder = tmp_path_factory.mktemp("two")
    first = run_stage(spark, settings(folder / "1", ["old"], keep_index=True), FIRST)
    again = {"a2" + "0" * 30: ("new", changed(A, 60))}  # fetched in both dumps
    asked = settings(folder / "2", ["new"], keep_index=True, earlier=(str(folder / "1"),))
    return first, run_stage(spark, asked, SECOND | again)


@pytest.fixture(scope="module")
def one_run(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> StageContext:
    asked = settings(
        tmp_path_factory.mktemp("one"),
        ["new", "old"],
        dumps=(("old",), ("new",)),
        recurring={"line_documents": 2},
    )
    return run_stage(spark, asked, FIRST | SECOND)


def test_two_dumps_in_two_runs_give_the_rows_of_one(
    two_runs: tuple[StageContext, StageContext], one_run: StageContext
) -> None:
    later = [row for row in rows(two_runs[1]) if row.method != "seen"]

    assert sorted(rows(two_runs[0]) + later) == sorted(rows(one_run))
    assert {r.doc_id[:2]: (r.kept_id[:2], r.cluster[:2]) for r in rows(one_run)} == {
        "a2": ("a1", "a1"),
        "b2": ("b1", "b1"),
        "07": ("a1", "07"),  # the joined cluster is named by its smallest id
        "f1": ("a1", "07"),
        "e2": ("e1", "e1"),
    }


def test_a_document_of_an_earlier_dump_does_not_come_back(
    two_runs: tuple[StageContext, StageContext],
) -> None:
    (seen,) = [row for row in rows(two_runs[1]) if row.method == "seen"]

    assert (seen.doc_id[:2], seen.source, seen.kept_id[:2]) == ("a2", "new", "a1")
    assert "a2" not in {row.doc_id[:2] for row in rows(two_runs[1], "signatures")}


def test_the_index_holds_fates_and_the_sets_of_kept_documents(
    two_runs: tuple[StageContext, StageContext],
) -> None:
    held = {r.doc_id[:2]: (r.dump, r.fate, r.shingles) for r in rows(two_runs[0], "signatures")}

    assert {i: (dump, fate) for i, (dump, fate, _) in held.items()} == {
        "a1": (0, "kept"),
        "a2": (0, "duplicate"),
        "b1": (0, "kept"),
        "b2": (0, "duplicate"),
    }
    assert held["a2"][2] is None
    assert held["a1"][2] == sorted(held["a1"][2], key=lambda value: value % 2**32)
    assert {r.dump for r in rows(two_runs[1], "signatures")} == {1}


def test_another_scheme_or_a_missing_index_is_refused(
    two_runs: tuple[StageContext, StageContext], one_run: StageContext, tmp_path: Path
) -> None:
    first, second = (context.runtime.output for context in two_runs)
    store = Store(str(tmp_path))

    def refused(expected: str, **dedup: Any) -> None:
        recipe = settings(tmp_path, ["new"], **dedup).recipe
        with pytest.raises(ContractError, match=expected) as caught:
            STAGE.contents(recipe, store)
        assert caught.value.exit_code == 3

    refused("signatures of scheme .*-seed1-.* makes .*-seed2-", earlier=(first,), seed=2)
    refused("published without an index", earlier=(one_run.runtime.output,))
    refused("was compared with 1 earlier runs", earlier=(second,))
    refused("4 index buckets", earlier=(first,), index_buckets=8)


def test_dumps_must_name_every_source(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no source 'ald'; did you mean 'old'"):
        settings(tmp_path, ["new", "old"], dumps=(("ald",), ("new",)))
    with pytest.raises(SettingsError, match="no dump holds old"):
        settings(tmp_path, ["new", "old"], dumps=(("new",),))


def test_recurring_lines_become_edits_of_kept_documents(one_run: StageContext) -> None:
    edits = rows(one_run, "edits")

    assert [(e.doc_id[:2], e.start, e.end, e.replacement, e.reason) for e in edits] == [
        ("a1", 0, len(MENU), "", "recurring:line"),
        ("b1", 0, len(MENU), "", "recurring:line"),
    ]
    assert one_run.counts["recurring:line"] == 2
    record = one_run.store.record("dedup", one_run.fingerprint)
    assert record is not None
    assert record.facts_of(DedupFacts).recurring_examples == (
        RecurringPassage(kind="line", documents=2, text=MENU),
    )


def test_the_alarm_names_a_file_with_clusters_and_samples(one_run: StageContext) -> None:
    recipe = settings(Path(one_run.runtime.output), ["new", "old"], max_source_loss=0.6).recipe
    context = dataclasses.replace(one_run, recipe=recipe)

    with pytest.raises(QualityGateError, match="3 of 4 documents of 'new'") as caught:
        check_losses(context)

    assert caught.value.exit_code == 4
    file = Path(one_run.runtime.output) / "alarms" / "dedup.json"
    assert str(file) in str(caught.value)
    (largest, other) = json.loads(file.read_text())["new"]
    assert (largest["removed"], other["removed"]) == (2, 1)
    assert other["sample"]["kept_text"] == " ".join(E)
    assert other["sample"]["removed_text"] == changed(E, 30)
