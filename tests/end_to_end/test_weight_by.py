"""Copies by a trained score in a whole run, against the same arithmetic in exact fractions."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.dataset as ds
import pytest
from pyspark.sql import functions as F

from jobs.pipeline.runner import RefineRun, run_stages
from jobs.refine import STAGES
from jobs.stages import mixture as plan_mixture
from refinery.mixture.facts import MixtureFacts
from refinery.recipe import load_recipe
from schemas.manifest import Manifest, read_manifest

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.slow

AT_ZERO, AT_ONE, MICRO = Fraction(1, 2), Fraction(4), 1_000_000
OVERRIDES = (
    "recipe.mixture.weight_by.score=quality",
    f"recipe.mixture.weight_by.at_zero={float(AT_ZERO)}",
    f"recipe.mixture.weight_by.at_one={float(AT_ONE)}",
)


@pytest.fixture(scope="module")
def weighted(
    corpus: Path,
    undisturbed_output: Path,
    tmp_path_factory: pytest.TempPathFactory,
    spark: SparkSession,
) -> RefineRun:
    """The undisturbed run's tables, mixed again by the score of quality."""
    output = tmp_path_factory.mktemp("weighted") / "out"
    shutil.copytree(undisturbed_output / "tables", output / "tables")
    settings = load_recipe(
        corpus,
        (*OVERRIDES, f"runtime.output={output}", "recipe.mixture.budget_tokens=60000"),
    )
    return run_stages(settings, STAGES)


def _table(run: RefineRun, stage: str, table: str) -> list[dict[str, Any]]:
    uri = run.store.table_uri(run.records[stage], table)
    rows: list[dict[str, Any]] = ds.dataset(uri, format="parquet").to_table().to_pylist()
    return rows


def _expected(run: RefineRun) -> tuple[dict[str, int], dict[str, Fraction]]:
    """Copies by document and planned tokens by source, worked out without floats."""
    tokens = [r for r in _table(run, "tokenise", "tokens") if r["split"] == "train"]
    scores = {r["doc_id"]: dict(r["scores"]) for r in _table(run, "clean", "ledger")}
    factor = {}
    for row in tokens:
        score = Fraction(int(Fraction(scores[row["doc_id"]]["quality"]) * MICRO), MICRO)
        factor[row["doc_id"]] = AT_ZERO + (AT_ONE - AT_ZERO) * score
    recipe = run.settings.recipe
    copies: dict[str, int] = {}
    planned: dict[str, Fraction] = {}
    for source, weight in (recipe.mixture.weights or {}).items():
        own = [row for row in tokens if row["source"] == source]
        planned[source] = Fraction(60_000) * Fraction(str(weight))
        scale = planned[source] / sum(r["num_tokens"] * factor[r["doc_id"]] for r in own)
        for row in own:
            wanted = scale * factor[row["doc_id"]]
            text = f"{recipe.seed + 2}\x1f{row['doc_id']}".encode()
            share = Fraction(int(hashlib.sha256(text).hexdigest()[:15], 16), 16**15)
            copies[row["doc_id"]] = int(wanted) + (share < wanted - int(wanted))
    return copies, planned


def test_every_document_gets_the_copies_of_its_score(weighted: RefineRun) -> None:
    copies, _ = _expected(weighted)

    found = {row["doc_id"]: row["copies"] for row in _table(weighted, "mixture", "mixture")}

    wrong = [doc_id for doc_id in copies if found[doc_id] != copies[doc_id]]
    assert found.keys() == copies.keys()
    assert wrong == []
    assert len(set(copies.values())) > 2, "scores made a difference"


def test_a_source_gives_the_tokens_that_were_planned(weighted: RefineRun) -> None:
    _, planned = _expected(weighted)
    sizes = {r["doc_id"]: r["num_tokens"] for r in _table(weighted, "tokenise", "tokens")}
    given: Counter[str] = Counter()
    for row in _table(weighted, "mixture", "mixture"):
        given[row["source"]] += row["copies"] * sizes[row["doc_id"]]

    # Of some 70 documents a hashed share decides; together they come within a tenth.
    for source, tokens in planned.items():
        assert given[source] == pytest.approx(float(tokens), rel=0.1), source


def test_better_documents_have_more_copies_in_the_shards(weighted: RefineRun) -> None:
    manifest: Manifest = read_manifest(Path(weighted.settings.runtime.output) / "dataset")
    plan = weighted.records["mixture"].facts_of(MixtureFacts).plan

    packed = sum(source.packed_tokens for source in manifest.train.sources.values())

    assert [row.source for row in plan] == [s.name for s in weighted.settings.recipe.sources]
    assert packed + manifest.train.account.dropped == manifest.train.account.tokens_in
    assert manifest.train.account.tokens_in == pytest.approx(60_000, rel=0.12)


def test_a_source_whose_factors_are_all_zero_is_planned_as_one_without_tokens(
    weighted: RefineRun, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = min(weighted.settings.recipe.mixture.weights or {})
    output = tmp_path / "out"
    shutil.copytree(weighted.store.root, output / "tables")
    plain = plan_mixture.with_factor

    def without_one(*given: Any) -> DataFrame:
        rows = plain(*given)
        return rows.withColumn(
            "factor", F.when(rows["source"] == gone, 0.0).otherwise(rows["factor"])
        )

    monkeypatch.setattr(plan_mixture, "with_factor", without_one)
    overrides = (*OVERRIDES, f"runtime.output={output}", "recipe.mixture.budget_tokens=50000")
    run = run_stages(load_recipe(corpus, overrides), STAGES, last="mixture")

    assert {row["source"] for row in _table(weighted, "mixture", "mixture")} >= {gone}
    copied = [row["source"] for row in _table(run, "mixture", "mixture") if row["copies"]]
    assert copied
    assert gone not in copied
    warnings = run.records["mixture"].facts_of(MixtureFacts).warnings
    assert [w for w in warnings if f"'{gone}'" in w and "no tokens" in w]
