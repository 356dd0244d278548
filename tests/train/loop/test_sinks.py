"""The sinks of a run: what each is told, how often, and that all are closed together."""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from train.checkpoint.config import CheckpointConfig
from train.checkpoint.store import CheckpointStore
from train.distributed.world import World
from train.loop.sinks import Sink, open_sinks
from train.report.run_files import read_metrics
from train.settings import MetricsConfig


def record(step: int) -> dict[str, Any]:
    figures = {"loss": 1.0 + step, "grad_norm": 1.0, "tokens": 8, "lr": 0.1}
    figures |= {"tokens_per_second": 10.0, "wait_share": 0.0}
    return {"step": step, **figures}


def sinks_of(stack: ExitStack, folder: Path, **config: Any) -> list[Sink]:
    alone = World(rank=0, size=1, device=torch.device("cpu"))
    store = CheckpointStore(folder=folder / "checkpoints", config=CheckpointConfig(), world=alone)
    metrics = MetricsConfig(**config)
    return open_sinks(stack, folder, metrics, store, first_step=0, total_steps=6)


def write_steps(folder: Path, **config: Any) -> list[int]:
    """The steps that metrics.jsonl has after a run of 6."""
    with ExitStack() as stack:
        for sink in sinks_of(stack, folder, **config):
            for step in range(6):
                sink.write(record(step))
    return [json.loads(line)["step"] for line in (folder / "metrics.jsonl").open()]


def test_each_step_is_written_where_nothing_else_is_asked(tmp_path: Path) -> None:
    assert write_steps(tmp_path) == [0, 1, 2, 3, 4, 5]


def test_files_have_the_last_of_every_so_many_steps(tmp_path: Path) -> None:
    assert write_steps(tmp_path, every_steps=3) == [2, 5]


def test_what_was_measured_or_skipped_between_two_lines_is_written(tmp_path: Path) -> None:
    more: dict[int, dict[str, Any]] = {1: {"heldout": {"loss": 2.0}}, 3: {"skipped": True}}
    with ExitStack() as stack:
        for sink in sinks_of(stack, tmp_path, every_steps=4):
            for step in range(6):
                sink.write(record(step) | more.get(step, {}))

    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").open()]

    assert [line["step"] for line in lines] == [1, 3, 5]  # the last step of the run, too
    assert lines[0]["heldout"] == {"loss": 2.0}


def test_a_loss_that_is_no_number_is_null(tmp_path: Path) -> None:
    with ExitStack() as stack:
        for sink in sinks_of(stack, tmp_path):
            sink.write(record(0) | {"loss": float("nan"), "grad_norm": float("inf")})

    text = (tmp_path / "metrics.jsonl").read_text()

    assert '"loss": null' in text
    assert '"grad_norm": null' in text
    assert read_metrics(tmp_path / "metrics.jsonl")[0]["loss"] != 0


def test_tensorboard_has_files_only_where_it_is_asked_for(tmp_path: Path) -> None:
    write_steps(tmp_path / "with")
    write_steps(tmp_path / "without", tensorboard=False)

    assert len(list((tmp_path / "with" / "tensorboard").iterdir())) == 1
    assert not (tmp_path / "without" / "tensorboard").exists()


def test_an_error_in_a_step_closes_the_files_with_what_they_have(tmp_path: Path) -> None:
    sinks: list[Sink] = []
    with suppress(ZeroDivisionError), ExitStack() as stack:
        sinks += sinks_of(stack, tmp_path)
        for sink in sinks:
            sink.write(record(0))
        raise ZeroDivisionError

    with pytest.raises(ValueError, match="closed file"):
        sinks[0].write(record(1))
    assert [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").open()] == [0]
