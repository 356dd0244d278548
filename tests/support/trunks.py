"""A small run at a constant rate, from which branches, averages and cool-downs begin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from train.loop.run import pretrain
from train.settings import TrainSettings

TRUNK_STEPS = 8


def make_trunk(folder: Path, manifest: Path, **changes: Any) -> Path:
    """Train it: 8 steps of 4 rows, by default with a checkpoint at each second one; the folder of the run."""
    recipe = {
        "manifest": str(manifest),
        "output": str(folder / "run"),
        "model": {"preset": "gpt2-test"},
        "batch": {"sequences": 4, "microbatch": 4},
        "stop": {"steps": TRUNK_STEPS},
        "schedule": {"lr_scheduler_type": "constant", "peak_lr": 0.01, "warmup": 2},
        "checkpoint": {"every_steps": 2, "keep_last": 20, "export": False},
        "metrics": {"tensorboard": False},
        "evaluation": None,
        "threads": 1,
        **changes,
    }
    pretrain(TrainSettings.model_validate(recipe))
    return folder / "run"
