"""Train a run of a founding study, measure it, fine-tune it, and record all of it before the next one begins."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.train.founding.corpus import Corpus
from benchmarks.train.founding.records import append_record, record_of
from schemas.manifest import read_manifest
from train.checkpoint.durable import replace_text
from train.finetune.settings import FinetuneSettings
from train.finetune.study import run_study as finetune
from train.studies.claims import AskedToStopError
from train.studies.outcome import Outcome
from train.studies.runs import StudyRun
from train.studies.work import Execute, outcome_or_failure

FINETUNED, BAG, MAJORITY = "sst2", "sst2_bag_of_words", "sst2_majority"
# One rate and length for all: the table compares what they start from. AdamW, linear up and down.
FINE_TUNING: dict[str, Any] = {
    "protocol": "mosbach",
    "rates": [3e-3],
    "objective": {"name": "text_to_text"},
    "select_at": 1,
    "seeds": 1,
    "recipe": {
        "stop": {"epochs": 6},
        "batch": {"sequences": 16},
        "metrics": {"every_steps": 100, "tensorboard": False},
        "checkpoint": {"keep_last": 1, "export": False, "every_steps": 100000},
        "threads": 1,
    },
}
_SPENT_NAME = "spent.json"


@dataclass
class JudgedExecutor:
    """Trains, measures, fine-tunes and records; what a run was recorded with is never trained again.

    Attributes:
        study: Name of the study.
        keys: Of each run, by name.
        path: The file of finished runs.
        inner: Trains and measures a run.
        tune: What stands beside the measure of a run, by name.
        left: Runs until this worker ends; None: all.
    """

    study: str
    keys: Mapping[str, str]
    path: Path
    corpus: Corpus
    inner: Execute
    tune: Callable[[StudyRun, Corpus], dict[str, float]]
    left: int | None = None

    def __call__(self, run: StudyRun) -> Outcome:
        """The outcome of a run, recorded.

        Raises:
            AskedToStopError: This worker has done as many runs as it was asked for, or got SIGTERM.
        """
        if self.left == 0:
            raise AskedToStopError("as many runs as were asked for are done")
        folder = Path(run.settings.output)
        folder.mkdir(parents=True, exist_ok=True)
        began = time.process_time()
        try:
            outcome = outcome_or_failure(run, self._outcome)
        except AskedToStopError:
            _write_spent(folder, _spent(folder) + time.process_time() - began)
            raise
        spent = _spent(folder) + time.process_time() - began
        record = record_of(self.study, self.keys[run.name], run, outcome, cpu_seconds=spent)
        append_record(self.path, record, outcome.documents)
        if self.left is not None:
            self.left -= 1
        return replace(outcome, costs=replace(outcome.costs, cpu_seconds=spent))

    def _outcome(self, run: StudyRun) -> Outcome:
        outcome = self.inner(run)
        return replace(outcome, figures=self.tune(run, self.corpus)) if outcome.is_done else outcome


def fine_tuned(run: StudyRun, corpus: Corpus) -> dict[str, float]:
    """Accuracy on sentences after fine-tuning what the run pretrained, before any continuation that arms share."""
    labels = read_manifest(corpus.pairs["labels"]).train.rows
    study = FinetuneSettings.model_validate(
        {
            **FINE_TUNING,
            "output": str(Path(run.settings.output) / "fine-tuned"),
            "source": run.phases[0].settings.output,
            "train": {labels: str(corpus.pairs["labels"])},
            "dev": str(corpus.pairs["dev"]),
            "test": str(corpus.pairs["test"]),
        }
    )
    found = finetune(study)
    row = found.rows[0]
    return {FINETUNED: row.accuracy.value, BAG: row.bag_of_words, MAJORITY: found.majority}


def _spent(folder: Path) -> float:
    """CPU seconds of workers that were stopped within this run."""
    path = folder / _SPENT_NAME
    return float(json.loads(path.read_text("utf-8"))) if path.is_file() else 0.0


def _write_spent(folder: Path, seconds: float) -> None:
    replace_text(folder / _SPENT_NAME, f"{seconds}\n")
