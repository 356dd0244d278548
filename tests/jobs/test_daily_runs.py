"""Outputs over shared tables, and a growing folder read day by day."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.pipeline.report import finish_run
from jobs.pipeline.runner import RefineRun, run_stages
from jobs.refine import STAGES
from refinery.publish.runs import stages_of
from refinery.recipe import RefineSettings, with_earlier_runs
from refinery.vocabulary.config import VocabularyConfig
from refinery.vocabulary.train.byte_level_bpe import train_bpe, write_tokenizer
from schemas.errors import ContractError
from schemas.manifest import read_manifest
from schemas.settings import parse_settings
from tests.support.whole import WORDS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def text(seed: int) -> str:
    words = random.Random(seed).choices(WORDS, k=60)
    return " ".join(words).capitalize() + "."


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(train_bpe([text(0)], VocabularyConfig(size=400, sentinels=2)), folder, 2)
    return str(folder)


def settings(root: Path, output: str, tokenizer: str, **recipe: Any) -> RefineSettings:
    source = {"name": "web", "uri": str(root / "web"), "format": "text"}
    plain = {
        "recipe": {
            "name": "daily",
            "sources": [source],
            "clean": {"language": {"min_score": None}, "rules": {"enabled": False}},
            "vocabulary": {"tokenizer": tokenizer},
            "split": {"heldout_fraction": 0.2},
            **recipe,
        },
        "runtime": {"output": str(root / output), "tables": str(root / "tables"), "partitions": 1},
    }
    return parse_settings(RefineSettings, plain, where="test")


def refine(asked: RefineSettings, last: str | None = None) -> RefineRun:
    run = run_stages(with_earlier_runs(asked), STAGES, last=last)
    if last is None and run.nothing_new is None:
        finish_run(run)
    return run


def attempts(root: Path) -> dict[str, list[str]]:
    """Attempts by stage in the shared tables."""
    folders = sorted((root / "tables").glob("*/*/"))
    found: dict[str, list[str]] = {}
    for folder in folders:
        found.setdefault(folder.parent.name, []).append(folder.name)
    return found


def test_two_recipes_share_every_stage_that_they_can(
    spark: SparkSession, tmp_path: Path, tokenizer: str
) -> None:
    (tmp_path / "web").mkdir()
    for number in range(12):
        (tmp_path / "web" / f"{number}.txt").write_text(text(number))
    first = refine(settings(tmp_path, "a", tokenizer, packing={"seq_len": 64}))
    once = attempts(tmp_path)

    second = refine(settings(tmp_path, "b", tokenizer, packing={"seq_len": 32}))

    same = {name for name, record in first.records.items() if record == second.records[name]}
    assert same == {"ingest", "clean", "dedup", "vocabulary", "tokenise", "mixture"}
    assert attempts(tmp_path) == once
    manifests = {name: read_manifest(tmp_path / name / "dataset") for name in "ab"}
    assert [manifests[name].seq_len for name in "ab"] == [64, 32]
    assert manifests["a"].root != manifests["b"].root

    # Before the first stage that differs is computed, the dataset that is there is seen.
    (tmp_path / "web" / "more.txt").write_text(text(99))
    with pytest.raises(ContractError, match=r"another recipe or input \(its stage 'clean'"):
        refine(settings(tmp_path, "a", tokenizer, packing={"seq_len": 64}))
    now = attempts(tmp_path)
    assert len(now.pop("ingest")) == 2
    assert now == {stage: names for stage, names in once.items() if stage != "ingest"}


def test_a_growing_folder_is_read_day_by_day(
    spark: SparkSession, tmp_path: Path, tokenizer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    daily = {
        "new_files_only": True,
        "dedup": {"keep_index": True, "earlier": [f"{tmp_path}/days/*"], "index_buckets": 2},
        "packing": {"seq_len": 32},
    }

    def day(number: int) -> RefineRun:
        asked = settings(tmp_path, f"days/2024-05-0{number}", tokenizer, **daily)
        return refine(asked, last="tokenise")

    assert day(1).nothing_new == "all 0 files of the sources were read by earlier runs"
    (tmp_path / "web").mkdir()
    for number in range(5):
        (tmp_path / "web" / f"{number}.txt").write_text(text(number))
    first = day(2)
    (tmp_path / "web" / "new.jsonl").write_text(text(50))
    (tmp_path / "web" / "copy.txt").write_text(text(1) + "\n")
    second = day(3)
    (tmp_path / "web" / "again.txt").write_text(text(2) + "\n\n")
    third = day(4)
    fourth = day(5)

    assert first.nothing_new is None
    assert first.records["ingest"].counts["documents"] == 5
    # Two of seven files are new, one of their documents is.
    assert second.records["ingest"].counts["documents"] == 2
    assert second.records["tokenise"].counts == {"kept": 1, "duplicate": 1}
    assert third.nothing_new == "no document is new and kept: 1 duplicate"
    assert fourth.nothing_new == "all 8 files of the sources were read by earlier runs"
    assert "nothing new: all 8 files" in capsys.readouterr().err
    run = stages_of(str(tmp_path / "days" / "2024-05-05"))
    assert run.file is not None
    assert json.loads(run.file.model_dump_json())["stages"] == {}
