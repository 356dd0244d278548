"""Whole asynchronous runs, started as people start them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.errors import SettingsError
from tests.support.datasets import DatasetShape, write_dataset
from train.parallel.config import AsynchronousConfig
from train.settings import TrainSettings


def recipe(folder: Path, **changes: Any) -> dict[str, Any]:
    dataset = write_dataset(folder / "data", DatasetShape(rows_per_shard=(60, 40))).parent
    return {
        "manifest": str(dataset),
        "output": str(folder / "run"),
        "model": {"preset": "gpt2-test", "layers": 2, "heads": 2, "width": 16, "dropout": 0.0},
        "batch": {"sequences": 12, "microbatch": 2},
        "stop": {"steps": 6},
        "schedule": {"init_lr": 0.1, "lr_scheduler_type": "constant"},
        "optimizer": {"name": "sgd", "momentum": 0.9, "max_norm": 0.5, "weight_decay": 0.1},
        "checkpoint": {"every_steps": 1000, "export": False},
        "metrics": {"peak_flops": 1e9},
        "threads": 1,
        "step_timeout_seconds": 120,
        **changes,
    }


def start(data: dict[str, Any], folder: Path) -> subprocess.Popen[str]:
    path = folder / f"{Path(data['output']).name}.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    command = [sys.executable, "-m", "train", "pretrain", "--recipe", str(path)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def metrics(data: dict[str, Any]) -> list[dict[str, Any]]:
    path = Path(data["output"]) / "metrics.jsonl"
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


@pytest.mark.distributed
def test_without_staleness_a_run_is_the_synchronous_one(tmp_path: Path) -> None:
    alone = recipe(tmp_path)
    served = {**alone, "output": str(tmp_path / "served")}
    served["asynchronous"] = {"workers": 3, "servers": 1, "staleness": 0}
    runs = [start(alone, tmp_path), start(served, tmp_path)]
    for run in runs:
        _, errors = run.communicate(timeout=200)
        assert run.returncode == 0, errors

    expected, found = metrics(alone), metrics(served)
    assert [m["labels"] for m in found] == [m["labels"] for m in expected]
    for name in ("loss", "grad_norm", "lr"):
        assert [m[name] for m in found] == pytest.approx([m[name] for m in expected], rel=1e-5)
    assert found[-1]["heldout"]["loss"] == pytest.approx(expected[-1]["heldout"]["loss"], rel=1e-5)
    assert found[-1]["staleness"] == {"0": 18}


@pytest.mark.distributed
def test_a_killed_worker_does_not_end_the_run(tmp_path: Path) -> None:
    data = recipe(tmp_path, stop={"steps": 60})
    data["optimizer"]["max_norm"] = None
    data["asynchronous"] = {"workers": 3, "servers": 2, "staleness": 3}
    run = start(data, tmp_path)
    assert run.stderr is not None
    victim = None
    while victim is None:
        found = re.search(r"worker 1: process (\d+)", run.stderr.readline())
        victim = int(found[1]) if found else None
    until = time.monotonic() + 120
    while len(metrics(data)) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(victim, signal.SIGKILL)
    _, errors = run.communicate(timeout=200)

    assert run.returncode == 0, errors
    last = metrics(data)[-1]
    assert last["lost_workers"] == 1
    assert last["loss"] < metrics(data)[0]["loss"]
    assert 1 <= max(map(int, last["staleness"])) <= 3
    # Two workers took all their steps, so at least two thirds of the run were done.
    assert 40 <= len(metrics(data)) < 60
    events = [json.loads(line) for line in (Path(data["output"]) / "events.jsonl").open()]
    assert "lost_worker" in [event["kind"] for event in events]
    report = (Path(data["output"]) / "report.html").read_text(encoding="utf-8")
    assert "Staleness of updates" in report


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer": {"name": "adamw"}}, "optimizer.name adamw: servers step with sgd"),
        ({"parallel": {"tp": 2}}, "parallel.tp 2: a worker holds the whole model"),
        ({"precision": {"compute": "fp16"}}, "precision.compute fp16"),
        ({"asynchronous": {"workers": 2, "servers": 2}}, "each of 2 servers sees a part"),
        ({"diloco": {}}, "diloco: use one of the two"),
    ],
)
def test_what_cannot_be_asynchronous_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    data = {**recipe(tmp_path), "asynchronous": {"workers": 2}, **changes}

    with pytest.raises(ValueError, match=message):
        TrainSettings.model_validate(data)


def test_ranks_that_meet_seldom_save_only_where_they_met(tmp_path: Path) -> None:
    data = recipe(tmp_path, diloco={"inner_steps": 7}, checkpoint={"every_steps": 10})

    with pytest.raises(ValueError, match=r"every_steps 10: ranks agree every 7 steps"):
        TrainSettings.model_validate(data)


def test_a_world_without_a_rank_for_each_process_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"servers 1 \+ workers 4 = 5 ranks, .* has 4"):
        AsynchronousConfig(workers=4).check_world(4)
