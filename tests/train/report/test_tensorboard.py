"""What TensorBoard's own reader finds in a run's event files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.support.datasets import DatasetShape, write_dataset
from train.loop.run import pretrain
from train.settings import TrainSettings


def train(dataset: Path, output: Path, steps: int) -> None:
    pretrain(
        TrainSettings.model_validate(
            {
                "manifest": str(dataset),
                "output": str(output),
                "model": {"preset": "gpt2-test", "num_layers": 1, "num_heads": 2, "width": 16},
                "batch": {
                    "sequences": 8,
                    "microbatch": 4,
                    "ramp": {"start_sequences": 4, "quantum": 4, "over_tokens": 200},
                },
                "stop": {"steps": steps},
                "schedule": {
                    "lr_scheduler_type": "constant", "peak_lr": 0.01, "warmup": 3,
                },
                "checkpoint": {"every_steps": 100, "export": False},
                "metrics": {"peak_flops": 1e9},
                "threads": 1,
            }
        )
    )  # fmt: skip


def test_scalars_are_those_of_the_metrics_through_a_resume(tmp_path: Path) -> None:
    shape = DatasetShape(rows_per_shard=(30, 20))
    dataset = write_dataset(tmp_path / "data", shape).parent
    train(dataset, tmp_path / "run", 3)
    train(dataset, tmp_path / "run", 6)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records: list[dict[str, Any]] = [json.loads(line) for line in lines]

    found = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    found.Reload()

    tags = found.Tags()["scalars"]
    flat = ("loss", "grad_norm", "lr", "batch", "tokens", "labels", "wait_share")
    for tag in flat:
        events = found.Scalars(tag)
        assert [event.step for event in events] == list(range(6)), tag
        values = [event.value for event in events]
        assert values == pytest.approx([record[tag] for record in records], rel=1e-6), tag
    assert [record["batch"] for record in records] == [4, 4, 4, 4, 8, 8]
    for kind in ("loss_by_source", "labels_by_source", "tokens_by_source"):
        for source in ("web", "zh"):
            # A source without a label in a step has no loss there.
            expected = {r["step"]: r[kind][source] for r in records if source in r[kind]}
            events = found.Scalars(f"{kind}/{source}")
            assert {event.step: event.value for event in events} == pytest.approx(expected)
            assert len(events) > 2
    assert "heldout/loss" in tags
    assert {tag for tag in tags if tag.startswith("heldout/sources/")} >= {
        "heldout/sources/web/loss",
        "heldout/sources/zh/loss",
    }
