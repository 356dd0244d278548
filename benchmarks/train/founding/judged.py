"""What stands beside the measure of a founding study's run: accuracy on sentences after fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.train.founding.corpus import Corpus
from schemas.manifest import read_manifest
from train.finetune.settings import FinetuneSettings
from train.finetune.study import run_study as finetune
from train.studies.runs import StudyRun

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
