"""An arm is what a full run would give with the decision switched off: the same rows, byte for byte."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from jobs.ablation.base import BaseRun, open_base
from jobs.ablation.run import StudyRequest, run_ablation
from jobs.pipeline.runner import run_stages
from jobs.refine import STAGES
from refinery.ablation.decisions import arm_without, changed
from refinery.ablation.removals import count_removals
from refinery.ablation.table import Ablation, ArmEntry
from refinery.query.database import open_tables
from refinery.recipe import RefineSettings
from schemas.errors import SettingsError
from schemas.manifest import read_manifest
from schemas.settings import parse_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WORDS = [f"{a}{b}{c}" for a in "bdfglmnprst" for b in "aeiou" for c in ("n", "sk", "l", "m")]
# What has the same effect in a recipe as the arm without `rules.gopher+quality`.
SWITCHED_OFF = {
    "clean": {
        "language": {"min_score": None},
        "rules": {"disabled": ["gopher:words", "gopher:stop_words"]},
    }
}


def _line(generator: random.Random) -> str:
    words = generator.choices(WORDS, k=8)
    return f"{words[0].capitalize()} the {' '.join(words[1:])} with {generator.choice(WORDS)}."


def _write(folder: Path) -> None:
    """Good and bad texts; short ones that rules drop, before and behind longer ones that resemble them."""
    generator = random.Random(2)
    # Of each pair the better source's is too short for a rule: without the rule it takes the other's place.
    pairs = [[_line(generator) for _ in range(6)] for _ in range(12)]
    for name, marker in (("good", "calmly"), ("bad", "loudly")):
        rows = ["\n".join(pair[: 5 if name == "good" else 6]) for pair in pairs]
        for number in range(60):
            lines = [_line(generator) for _ in range(9)]
            lines[4] += f" It rained {marker}."
            rows.append("\n".join(lines))
            if number % 4 == 0:  # a near-duplicate, longer by a line
                rows.append("\n".join([*lines, _line(generator)]))
            if number % 5 == 0:  # too short for the rule on words
                rows.append("\n".join(lines[:3]))
        (folder / name).mkdir(parents=True)
        lines = [json.dumps({"text": row, "url": f"https://{name}.org/{i}"}) for i, row in enumerate(rows)]  # fmt: skip
        (folder / name / "rows.jsonl").write_text("\n".join(lines) + "\n")


def _settings(folder: Path, output: str, **recipe: Any) -> RefineSettings:
    plain = {
        "name": "ablated",
        "seed": 3,
        "sources": [
            {"name": name, "uri": str(folder / name), "format": "jsonl"} for name in ("good", "bad")
        ],
        "quality": {"positive": ["good"], "negative": ["bad"], "dim": 8, "bucket": 2000},
        "clean": {
            "language": {"min_score": None},
            "rules": {"bounds": {"gopher:words": {"minimum": 60}}},
            "quality": {"top": {"fraction": 0.7, "by": []}},
        },
        "dedup": {"num_bands": 56, "rows_per_band": 2, "threshold": 0.6},
        "vocabulary": {"train": {"kind": "wordpiece", "size": 600, "sentinels": 0}},
        "split": {"heldout_fraction": 0.2},
        "packing": {"seq_len": 32},
        **recipe,
    }
    data = {"recipe": plain, "runtime": {"output": str(folder / output), "partitions": 2}}
    return parse_settings(RefineSettings, data, where="test")


@pytest.fixture(scope="module")
def folder(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablation")
    _write(folder)
    return folder


@pytest.fixture(scope="module")
def base(folder: Path) -> BaseRun:
    settings = _settings(folder, "out")
    run_stages(settings, STAGES)
    return open_base(settings, STAGES)


def _ablate(base: BaseRun, session: Callable[[], SparkSession]) -> Ablation:
    arms = [arm_without(name, base.settings.recipe) for name in ("dedup", "rules.gopher+quality")]
    output = f"{base.settings.runtime.output}/ablation"
    return run_ablation(base, arms, output, StudyRequest(recipe="demo", seeds=2), session=session)


@pytest.fixture(scope="module")
def made(base: BaseRun, spark: SparkSession) -> Ablation:
    return _ablate(base, lambda: spark)


def _entry(made: Ablation, name: str) -> ArmEntry:
    return next(one for one in made.arms if one.arm == name)


def test_an_arm_has_the_rows_of_a_full_run(base: BaseRun, made: Ablation, folder: Path) -> None:
    arm = _entry(made, "without rules.gopher+quality")
    manifest = read_manifest(Path(arm.manifest).parent)
    shards, tokens = len(manifest.train.shards), manifest.train.account.tokens_in
    whole = _settings(
        folder,
        "whole",
        **SWITCHED_OFF,
        vocabulary={"tokenizer": base.store.artefact_uri(base.records["vocabulary"], "tokenizer")},
        packing={"seq_len": 32, "shard_tokens": -(-tokens // shards)},
    )

    run_stages(whole, STAGES)

    assert arm.root == read_manifest(folder / "whole" / "dataset").root
    assert arm.root != _entry(made, "base").root
    assert arm.more_documents > 5
    assert arm.fewer_documents > 0, "no document took the place of another: dedup was not at stake"
    assert shards > 1


def test_without_dedup_every_duplicate_stays_on_the_side_of_its_first(
    base: BaseRun, made: Ablation
) -> None:
    with open_tables(base.store, base.records) as database:
        removed = database.rows("SELECT doc_id, kept_id FROM duplicates")
        sides = {
            row["doc_id"]: row["split"] for row in database.rows("SELECT doc_id, split FROM tokens")
        }
    arm = _entry(made, "without dedup")
    rows = _rows(arm)

    assert len(removed) > 5
    assert (arm.more_documents, arm.fewer_documents) == (len(removed), 0)
    assert {sides[row["kept_id"]] for row in removed} == {"train", "heldout"}
    assert not {name for name in rows["train"] if sides.get(name) == "heldout"}
    assert not [row for row in removed if row["doc_id"] in rows["train"] and sides[row["kept_id"]] == "heldout"]  # fmt: skip


def test_the_list_counts_what_each_decision_alone_removes(base: BaseRun, made: Ablation) -> None:
    found = count_removals(base.settings, base.store, base.records)

    with open_tables(base.store, base.records) as database:
        reasons = [
            row["reasons"] for row in database.rows("SELECT reasons FROM ledger") if row["reasons"]
        ]
    by_gopher = [[reason.startswith("gopher:") for reason in own] for own in reasons]
    assert found["rules.gopher"].against == sum(map(any, by_gopher)) > 0
    assert found["rules.gopher"].alone == sum(map(all, by_gopher))
    assert found["dedup"].alone == _entry(made, "without dedup").more_documents


def _rows(arm: ArmEntry) -> dict[str, set[str]]:
    """Documents of the packed rows, by split."""
    folder = Path(arm.manifest).parent
    return {
        split: {
            segment["doc_id"]
            for path in folder.glob(f"{split}-*.parquet")
            for segments in pq.read_table(path, columns=["segments"])["segments"].to_pylist()
            for segment in segments
        }
        for split in ("train", "heldout")
    }


def test_what_a_dropped_document_gives_up_is_counted_both_ways(made: Ablation) -> None:
    without = _entry(made, "without rules.gopher+quality")

    assert without.more_documents > without.fewer_documents
    assert without.documents == (
        _entry(made, "base").documents + without.more_documents - without.fewer_documents
    )
    assert without.tokens == (
        _entry(made, "base").tokens + without.more_tokens - without.fewer_tokens
    )


def test_arms_share_rows_in_the_same_order(made: Ablation) -> None:
    base, arm = _entry(made, "base"), _entry(made, "without rules.gopher+quality")
    orders = [
        [
            row
            for path in sorted(Path(one.manifest).parent.glob("train-*.parquet"))
            for row in pq.read_table(path, columns=["row_id"])["row_id"].to_pylist()
        ]
        for one in (base, arm)
    ]
    common = set(orders[0]) & set(orders[1])

    assert base.shared_rows == base.rows
    assert arm.shared_rows == len(common) > 0
    assert [row for row in orders[0] if row in common] == [
        row for row in orders[1] if row in common
    ]


def test_a_second_try_does_nothing_again(base: BaseRun, made: Ablation) -> None:
    def no_session() -> SparkSession:
        raise AssertionError("a stage ran again")

    again = _ablate(base, no_session)

    assert [one.root for one in again.arms] == [one.root for one in made.arms]


def test_the_cost_of_a_stage_is_what_the_run_metered(base: BaseRun, made: Ablation) -> None:
    cost = base.records["dedup"].cost
    assert cost is not None

    assert _entry(made, "without dedup").cpu_seconds == pytest.approx(
        cost.jvm_cpu_seconds + (cost.python_cpu_seconds or 0.0), abs=0.01
    )


def test_a_changed_recipe_is_refused(base: BaseRun, folder: Path) -> None:
    other = _settings(folder, "out", dedup={"threshold": 0.9})

    with pytest.raises(SettingsError, match="stage 'dedup' reads has changed"):
        open_base(other, STAGES)


def test_a_run_that_has_not_ended_is_refused(base: BaseRun, folder: Path) -> None:
    settings = _settings(folder, "early")
    shared = settings.model_copy(
        update={"runtime": settings.runtime.model_copy(update={"tables": base.store.root})}
    )
    run_stages(shared, STAGES, last="clean")

    with pytest.raises(SettingsError, match="has not ended: no dedup"):
        open_base(shared, STAGES)


def test_changes_keep_what_the_recipe_says(base: BaseRun) -> None:
    arm = arm_without("rules.gopher:words+dedup", base.settings.recipe)

    after = changed(base.settings, arm, output="other", tables="tables").recipe

    assert after.clean.rules.disabled == ("gopher:words",)
    assert not after.dedup.removes
    assert after.clean.quality == base.settings.recipe.clean.quality
