"""Toy studies: a base recipe over a synthetic dataset, and an executor that trains nothing."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.settings import parse_settings
from schemas.yaml_files import dump_yaml
from tests.support.datasets import DatasetShape, write_dataset
from train.studies.outcome import Costs, Documents, Outcome
from train.studies.runs import StudyRun
from train.studies.settings import MeasureConfig, StudySettings

RECIPE: dict[str, Any] = {
    "model": {"preset": "gpt2-test", "dropout": 0.1},
    "batch": {"sequences": 4, "microbatch": 4},
    "schedule": {"peak_lr": 0.01, "warmup": 2},
    "checkpoint": {"every_steps": 2},
    "threads": 1,
}


def write_base(folder: Path, **changes: Any) -> Path:
    """A dataset of rows of 16 tokens and a recipe of steps of 64; the recipe's file."""
    data = folder / "data"
    if not data.exists():
        write_dataset(data, DatasetShape(rows_per_shard=(60, 60), heldout_rows=12))
    path = folder / "base.yaml"
    path.write_text(dump_yaml({"manifest": str(data), **RECIPE, **changes}), encoding="utf-8")
    return path


def study_data(folder: Path, **changes: Any) -> dict[str, Any]:
    """The settings of a study of two arms, without a pilot."""
    plain: dict[str, Any] = {
        "question": "Does it pay?",
        "recipe": str(write_base(folder)),
        "output": str(folder / "study"),
        "seeds": 3,
        "budget": {"tokens": 640},
        "pilot": None,
    }
    if not {"arms", "matrix", "ablate", "search"} & set(changes):
        plain["arms"] = {"flat": {"schedule.lr_scheduler_type": "constant"}}
    return plain | changes


def make_study(folder: Path, **changes: Any) -> StudySettings:
    return parse_settings(StudySettings, study_data(folder, **changes), where="study.yaml")


def noise(run: StudyRun) -> float:
    """A number in [-1, 1) that depends on the run's name alone."""
    return (zlib.crc32(run.name.encode()) % 2000) / 1000 - 1


@dataclass
class FakeExecutor:
    """Measures by a formula; notes what it was asked for.

    Attributes:
        value: The measure of a run.
    """

    value: Callable[[StudyRun], float]
    asked: list[str] = field(default_factory=list)

    def __call__(self, run: StudyRun) -> Outcome:
        self.asked.append(run.name)
        value = self.value(run)
        return Outcome(
            name=run.name,
            fingerprint=run.fingerprint,
            state="done",
            value=value,
            documents=Documents(
                root="r", names=("x", "y", "z"), labels=(1, 2, 3),
                losses=(value - 0.1, 2 * value, 3 * value + 0.1),
            ),
            tokens=run.tokens,
            costs=Costs(seconds=2.0, cpu_seconds=3.0, tokens_per_second=100.0),
        )  # fmt: skip

    def made(self, measure: MeasureConfig) -> FakeExecutor:
        """Itself, as what makes executors."""
        return self
