"""The scripts for spark-submit: each stage has one, and each runs the stage that it is named for."""

from __future__ import annotations

import runpy
import sys
from types import ModuleType

import pytest

from jobs import (
    clean_documents,
    decontaminate_documents,
    dedup_documents,
    extend_vocabulary,
    find_homographs,
    ingest_documents,
    pack_shards,
    plan_mixture,
    refine,
    register_benchmarks,
    tokenise_documents,
    train_quality,
)

STAGES = {
    ingest_documents: "ingest",
    train_quality: "quality",
    clean_documents: "clean",
    find_homographs: "homographs",
    dedup_documents: "dedup",
    register_benchmarks: "benchmarks",
    decontaminate_documents: "decontaminate",
    extend_vocabulary: "vocabulary",
    tokenise_documents: "tokenise",
    plan_mixture: "mixture",
    pack_shards: "pack",
}


def test_every_stage_has_a_script() -> None:
    assert list(STAGES.values()) == [stage.name for stage in refine.STAGES]


@pytest.mark.parametrize(("script", "stage"), STAGES.items(), ids=STAGES.values())
def test_a_script_runs_its_stage_alone_with_its_arguments(
    script: ModuleType, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(refine, "run_one_stage", lambda name, argv: asked.append((name, argv)))
    monkeypatch.setattr(sys, "argv", [str(script.__file__), "--recipe", "r.yaml"])

    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script.__file__), run_name="__main__")

    assert ended.value.code == 0
    assert asked == [(stage, ["--recipe", "r.yaml"])]
