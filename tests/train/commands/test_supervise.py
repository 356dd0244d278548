"""`train supervise`: bad input is refused at once; SIGTERM saves and asks to be queued again."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import PipelineError, SettingsError
from tests.support.datasets import DatasetShape, write_dataset
from train.commands import supervise
from train.report.events import read_events

ROOT = Path(__file__).resolve().parents[3]


def recipe(folder: Path, **changes: Any) -> Path:
    data = write_dataset(folder / "data", DatasetShape(rows_per_shard=(200, 200)))
    settings = {
        "manifest": str(data), "output": str(folder / "run"), "stop": {"steps": 4000}, "threads": 1,
        "model": {"preset": "gpt2-test"}, "batch": {"sequences": 4, "microbatch": 1},
        "checkpoint": {"every_steps": 1000, "export": False}, "evaluation": None,
        "metrics": {"tensorboard": False, "peak_flops": 1e12},
    }  # fmt: skip
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(settings | changes), encoding="utf-8")
    return path


def arguments(path: Path, *more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    supervise.add_arguments(parser)
    return parser.parse_args(["--recipe", str(path), *more])


def test_a_folder_that_cannot_hold_checkpoints_is_refused(tmp_path: Path) -> None:
    path = recipe(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoints").write_text("a file", encoding="utf-8")

    with pytest.raises(SettingsError, match=r"run/checkpoints: cannot be written \(File exists\)"):
        supervise.run(arguments(path))


def test_a_second_supervisor_is_refused(tmp_path: Path) -> None:
    path = recipe(tmp_path)

    with (
        supervise.held_folder(tmp_path / "run"),
        pytest.raises(PipelineError, match="another supervisor looks after this run"),
    ):
        supervise.run(arguments(path))


def test_several_hosts_need_a_leader_and_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe(tmp_path)
    for name in ("TRAIN_SUPERVISOR_TOKEN", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(SettingsError, match="several hosts need --leader HOST:PORT"):
        supervise.run(arguments(path, "--hosts", "2"))
    with pytest.raises(SettingsError, match="set TRAIN_SUPERVISOR_TOKEN"):
        supervise.run(arguments(path, "--hosts", "2", "--leader", "127.0.0.1:1"))
    assert not (tmp_path / "run" / "events.jsonl").exists()


def test_a_layout_that_the_ranks_cannot_have_is_refused(tmp_path: Path) -> None:
    path = recipe(tmp_path, parallel={"tp": 3})

    with pytest.raises(SettingsError, match="ranks"):
        supervise.run(arguments(path, "--ranks", "2"))


@pytest.mark.slow
@pytest.mark.distributed
def test_a_simulated_host_with_a_spare_runs_and_sigterm_asks_for_the_queue(tmp_path: Path) -> None:
    """75 says: saved, go on later. The run is not done, so 0 would be wrong."""
    path = recipe(tmp_path)
    command = [sys.executable, "-m", "train", "supervise", "--recipe", str(path), "--ranks", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.Popen(
        [*command, "--simulate", "--spares", "1"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = tmp_path / "run" / "metrics.jsonl"
    until = time.monotonic() + 120
    while not (metrics.is_file() and metrics.read_text()) and time.monotonic() < until:
        time.sleep(0.1)

    run.send_signal(signal.SIGTERM)
    errors = run.communicate(timeout=60)[1]

    assert run.returncode == 75, errors
    assert "asked to stop; the same command goes on (exit code 75)" in errors
    events = read_events(tmp_path / "run" / "events.jsonl")
    assert [event["kind"] for event in events] == [
        "attempt", "start", "manifest", "stop", "attempt_end"
    ]  # fmt: skip
    assert events[0]["hosts"] == ["127.0.0.2"]
    assert (events[-1]["outcome"], events[-1].get("cause")) == ("asked to stop", None)
    assert list((tmp_path / "run" / "checkpoints").glob("step-*"))
