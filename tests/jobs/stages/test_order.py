"""Stages read earlier stages alone, and what shares their work leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from jobs.pipeline.scratch import scratch
from jobs.refine import STAGES
from jobs.spark import warm_up
from jobs.stages import homographs, pack, tokenise
from jobs.stages.dedup_tables import payload_hashes, read_known
from jobs.stages.earlier_verdicts import removed_duplicates, written_edits
from jobs.stages.frequent_ngrams import FrequentNgrams, ignored_ngrams, last_ngrams, without_ignored
from refinery.decontaminate.frequency import Frequent
from refinery.dedup.config import DedupConfig
from refinery.recipe import Recipe

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from jobs.pipeline.stage import StageContext

RECIPE = Recipe.model_validate(
    {"name": "r", "sources": [{"name": "a", "uri": "none", "format": "text"}]}
)


def context(**known: Any) -> StageContext:
    return cast("StageContext", SimpleNamespace(**known))


def test_every_stage_reads_earlier_ones_alone() -> None:
    names = [stage.name for stage in STAGES]

    assert [tokenise.STAGE.name, pack.STAGE.name] == ["tokenise", "pack"]
    for number, stage in enumerate(STAGES):
        assert set(stage.inputs) <= set(names[:number]), stage.name
    assert all(stage.version >= 1 for stage in STAGES)


def test_homographs_are_compared_where_the_recipe_asks() -> None:
    sources = [{"name": name, "uri": "none", "format": "text"} for name in ("a", "b")]
    domains: dict[str, object] = {"sources": {"x": ["a"], "y": ["b"]}}
    plain = {"name": "r", "sources": sources, "domains": domains}

    assert not homographs.STAGE.enabled(RECIPE)
    assert homographs.STAGE.enabled(Recipe.model_validate(plain))
    domains["homographs"] = None
    assert not homographs.STAGE.enabled(Recipe.model_validate(plain))


def test_scratch_tables_are_read_back_and_removed(spark: SparkSession, tmp_path: Path) -> None:
    here = context(attempt_uri=str(tmp_path / "attempt"), spark=spark)

    with scratch(here) as persist:
        first, second = persist(spark.range(3)), persist(spark.range(5))
        assert (first.count(), second.count()) == (3, 5)
        assert (tmp_path / "attempt.scratch").is_dir()

    assert not (tmp_path / "attempt.scratch").exists()


def test_only_edits_that_were_written_are_joined(spark: SparkSession) -> None:
    def record(rows: int) -> Any:
        return SimpleNamespace(tables={"edits": SimpleNamespace(rows=rows)})

    edits = spark.range(1)
    here = context(
        records={"clean": record(1), "dedup": record(0)}, read=lambda table, stage: edits
    )

    found = written_edits(here, ["clean", "dedup", "decontaminate"])

    assert found is not None
    assert found.count() == 1
    assert written_edits(here, ["dedup", "decontaminate"]) is None


@pytest.mark.parametrize(("mode", "removed"), [("remove", 2), ("mark", 0)])
def test_marked_duplicates_stay(spark: SparkSession, mode: str, removed: int) -> None:
    dedup = DedupConfig.model_validate({"mode": mode})
    here = context(read=lambda table: spark.range(2), recipe=SimpleNamespace(dedup=dedup))

    assert removed_duplicates(here).count() == removed


def test_bytes_are_compared_where_they_were_kept(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [("a", "x"), ("a", "x"), ("b", "y")], "doc_id string, payload_sha256 string"
    )
    kept = {"ingest": SimpleNamespace(tables={"fetches": None})}
    config = DedupConfig.model_validate({"exact_bytes": True})

    found = payload_hashes(context(records=kept, read=lambda table: rows), config)

    assert found is not None
    assert sorted(found.collect()) == [("a", "x"), ("b", "y")]
    assert payload_hashes(context(records={}), config) is None
    assert payload_hashes(context(records=kept), DedupConfig(exact_bytes=False)) is None
    assert read_known(spark, [], config) is None


def test_ignored_ngrams_match_no_longer_and_the_commonest_are_shown(spark: SparkSession) -> None:
    matches = spark.createDataFrame([(1, "a"), (2, "b"), (2, "c")], "gram bigint, doc_id string")
    rows = {n: {"ngram": f"n{n}", "documents": n * 10} for n in (1, 2, 3)}
    frequent = FrequentNgrams(
        Frequent(ignored=frozenset({1, 2}), last={0: 3}), cast("dict[int, Any]", rows)
    )
    index = SimpleNamespace(names=[("bench", "item-0")])

    assert without_ignored(matches, Frequent()) is matches
    assert without_ignored(matches, Frequent(ignored=frozenset({2}))).count() == 1
    assert [(one.ngram, one.documents) for one in ignored_ngrams(frequent)] == [
        ("n2", 20),
        ("n1", 10),
    ]
    (last,) = last_ngrams(frequent, cast("Any", index))
    assert (last.benchmark, last.item, last.ngram, last.documents) == ("bench", "item-0", "n3", 30)


def test_the_warm_up_uses_what_stages_use(spark: SparkSession, tmp_path: Path) -> None:
    warm_up.use(spark, str(tmp_path))

    assert {path.name for path in tmp_path.iterdir()} == {"rows", "grouped", "ordered"}
