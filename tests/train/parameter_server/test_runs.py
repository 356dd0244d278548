"""Whole asynchronous runs, started as people start them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from shutil import copytree, rmtree
from statistics import mean
from typing import Any

import pytest
import torch
import yaml
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

from schemas.errors import SettingsError
from tests.support.datasets import DatasetShape, write_dataset
from tests.support.ranks import free_ports, run_on_ranks
from tests.support.stopping import StopAfter
from train.loop.run import pretrain
from train.loop.trainer import MicroBatch, Trainer
from train.model.presets import resolve_model
from train.parallel.config import AsynchronousConfig
from train.parameter_server.messages import Tally
from train.parameter_server.run import pretrain_asynchronous
from train.parameter_server.work import compute_gradient
from train.refusals.facts import RunFacts
from train.refusals.refuse import refuse
from train.settings import TrainSettings


def recipe(folder: Path, **changes: Any) -> dict[str, Any]:
    dataset = write_dataset(folder / "data", DatasetShape(rows_per_shard=(60, 40))).parent
    return {
        "manifest": str(dataset),
        "output": str(folder / "run"),
        "model": {
            "preset": "gpt2-test",
            "num_layers": 2,
            "num_heads": 2,
            "width": 16,
            "dropout": 0.0,
        },
        "batch": {"sequences": 12, "microbatch": 2},
        "stop": {"steps": 6},
        "schedule": {"peak_lr": 0.1, "lr_scheduler_type": "constant"},
        "optimizer": {"name": "sgd", "momentum": 0.9, "max_grad_norm": 0.5, "weight_decay": 0.1},
        "checkpoint": {"every_steps": 1000, "export": False},
        "metrics": {"peak_flops": 1e9, "tensorboard": False},
        "threads": 1,
        "precision": {"compute": "fp32"},
        "step_timeout_seconds": 120,
        **changes,
    }


def refuse_on(world_size: int, data: dict[str, Any]) -> None:
    settings = TrainSettings.model_validate(data)
    model = resolve_model(settings.model, vocab_size=97, seq_len=16)
    refuse(settings, RunFacts(model=model, world_size=world_size))


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


def events(data: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(data["output"]) / "events.jsonl").open()]


def serve(jobs: list[tuple[dict[str, Any], int]], ports: list[int]) -> None:
    """Run after run in the same ranks; each is asked to stop after so many updates."""
    for (data, updates), port in zip(jobs, ports, strict=True):
        os.environ["MASTER_PORT"] = str(port)
        # The first server alone asks: workers take its word where nothing may be stale.
        asked = TrainSettings.model_validate(data)
        pretrain_asynchronous(asked, stop_flag=partial(StopAfter, updates))


def weights(data: dict[str, Any], step: int) -> dict[str, Any]:
    folder = Path(data["output"]) / "checkpoints" / f"step-{step:08d}"
    dcp_to_torch_save(folder / "weights", folder / "whole.pt")
    loaded = torch.load(folder / "whole.pt", weights_only=False)
    return {**loaded["model"], "velocity": loaded["servers"]["velocity"]}


@pytest.mark.distributed
def test_without_staleness_a_run_is_the_synchronous_one_and_resumes_exactly(
    tmp_path: Path,
) -> None:
    alone = recipe(tmp_path)
    alone["evaluation"] = {"microbatch": 4}
    served = {**alone, "output": str(tmp_path / "served")}
    served["asynchronous"] = {"workers": 3, "servers": 1, "staleness": 0}
    whole = {**served, "output": str(tmp_path / "whole"), "evaluation": None}
    whole["asynchronous"] = {"workers": 2, "servers": 2, "staleness": 0}
    whole["optimizer"] = {**served["optimizer"], "max_grad_norm": None}
    cut = {**whole, "output": str(tmp_path / "cut")}
    saved = {**whole, "output": str(tmp_path / "saved")}
    saved["checkpoint"] = {"every_steps": 2, "export": False, "keep_last": 9}
    back = {**saved, "output": str(tmp_path / "back")}
    pretrain(TrainSettings.model_validate(alone))
    first = [(served, 99), (whole, 99), (cut, 3), (cut, 99), (saved, 99)]
    run_on_ranks(serve, 4, first, free_ports(len(first)))
    copytree(saved["output"], back["output"])
    rmtree(Path(back["output"]) / "checkpoints" / "step-00000006")
    (Path(back["output"]) / "checkpoints" / "latest").write_text("step-00000004\n")
    run_on_ranks(serve, 4, [(back, 99)], free_ports(1))

    expected, found = metrics(alone), metrics(served)
    assert [m["labels"] for m in found] == [m["labels"] for m in expected]
    for name in ("loss", "grad_norm", "lr"):
        assert [m[name] for m in found] == pytest.approx([m[name] for m in expected], rel=1e-5)
    assert found[-1]["heldout"]["loss"] == pytest.approx(expected[-1]["heldout"]["loss"], rel=1e-5)
    assert found[-1]["staleness"] == {"0": 18}
    assert [event["kind"] for event in events(cut)] == ["start", "manifest", "stop", "resume"]
    for other in (cut, saved, back):
        assert [m["loss"] for m in metrics(other)] == [m["loss"] for m in metrics(whole)]
        unbroken, resumed = weights(whole, 6), weights(other, 6)
        assert [name for name in unbroken if not torch.equal(unbroken[name], resumed[name])] == []
    assert float(weights(whole, 6)["velocity"].abs().max()) > 0


def serve_and_stop(data: dict[str, Any], port: int) -> None:
    """As `serve`; each process gets SIGTERM when a gradient of the third step is half done."""
    os.environ["MASTER_PORT"] = str(port)
    ring = threading.Timer(3.0, os.kill, (os.getpid(), signal.SIGTERM))

    def slow(trainer: Trainer, items: Iterable[MicroBatch], *, waited_seconds: float) -> Tally:
        def late() -> Iterator[MicroBatch]:
            for item in items:
                if trainer.step == 2:
                    if not ring.is_alive():
                        ring.start()
                    time.sleep(1.2)
                yield item

        return compute_gradient(trainer, late(), waited_seconds=waited_seconds)

    if os.environ["RANK"] == "0":
        threading.Thread(target=_when_steps_are_written, args=(data, ring), daemon=True).start()
    started = time.monotonic()
    assert pretrain_asynchronous(TrainSettings.model_validate(data), gradient=slow) == 0
    assert time.monotonic() - started < 60


def _when_steps_are_written(data: dict[str, Any], ring: threading.Timer) -> None:
    while len(metrics(data)) < 2:
        time.sleep(0.05)
    ring.start()


@pytest.mark.slow
@pytest.mark.distributed
@pytest.mark.parametrize("staleness", [0, 2])
def test_sigterm_leaves_gradients_that_are_half_done(tmp_path: Path, staleness: int) -> None:
    """24 micro-batches of 1.2 s in the third step: nobody waits for its end."""
    data = recipe(tmp_path, batch={"sequences": 48, "microbatch": 1}, evaluation=None)
    data["asynchronous"] = {"workers": 2, "servers": 1, "staleness": staleness}
    whole = {**data, "output": str(tmp_path / "whole")}

    run_on_ranks(serve_and_stop, 3, data, free_ports(1)[0])

    assert [event["kind"] for event in events(data)] == ["start", "manifest", "stop"]
    assert [m["step"] for m in metrics(data)] == [0, 1]
    saved = Path(data["output"]) / "checkpoints" / "step-00000002" / "state.json"
    assert saved.is_file()
    if staleness == 0:
        run_on_ranks(serve, 3, [(data, 99), (whole, 99)], free_ports(2))
        assert [m["loss"] for m in metrics(data)] == [m["loss"] for m in metrics(whole)]
        unbroken, resumed = weights(whole, 6), weights(data, 6)
        assert [name for name in unbroken if not torch.equal(unbroken[name], resumed[name])] == []


@pytest.mark.distributed
@pytest.mark.parametrize("steps_before", [0, 2], ids=["before it joins", "after two steps"])
def test_a_run_that_lost_a_worker_says_how_far_it_came(tmp_path: Path, steps_before: int) -> None:
    data = recipe(tmp_path, stop={"steps": 40})
    data["optimizer"]["max_grad_norm"] = None
    data["schedule"]["peak_lr"] = 0.01
    data["asynchronous"] = {"workers": 3, "servers": 2, "staleness": 3}
    run = start(data, tmp_path)
    assert run.stderr is not None
    victim = None
    while victim is None:
        found = re.search(r"worker 1: process (\d+)", run.stderr.readline())
        victim = int(found[1]) if found else None
    until = time.monotonic() + 120
    while len(metrics(data)) < steps_before and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(victim, signal.SIGKILL)
    _, errors = run.communicate(timeout=100)  # less than the timeout of a step

    assert run.returncode == 1, errors
    done = len(metrics(data))
    assert f"ended at step {done} of 40: 1 of 3 workers were lost" in errors
    assert (Path(data["output"]) / "checkpoints" / f"step-{done:08d}" / "state.json").is_file()
    assert not (Path(data["output"]) / "export").exists()
    # It is lost whether it had joined or was still reading its modules.
    lost = [event for event in events(data) if event["kind"] == "lost_worker"]
    assert [event["workers_lost"] for event in lost] == [1]
    last = metrics(data)[-1]
    # The order of updates is the machine's, and one small batch says little: thirds are compared.
    losses = [m["loss"] for m in metrics(data)]
    third = len(losses) // 3
    assert mean(losses[-third:]) < mean(losses[:third])
    assert 1 <= max(map(int, last["staleness"])) <= 3
    # Two workers took all their steps, so at least two thirds of the run were done.
    assert 26 <= len(metrics(data)) < 40
    report = (Path(data["output"]) / "report.html").read_text(encoding="utf-8")
    assert "Staleness of updates" in report


@pytest.mark.distributed
@pytest.mark.parametrize("staleness", [0, 3])
def test_weights_that_are_no_numbers_end_the_run_with_a_fault(
    tmp_path: Path, staleness: int
) -> None:
    data = recipe(tmp_path, stop={"steps": 8}, checkpoint={"every_steps": 1000})
    data["schedule"]["peak_lr"] = 1e30
    data["optimizer"] |= {"max_grad_norm": None, "weight_decay": 0.0}
    data["asynchronous"] = {"workers": 2, "servers": 1, "staleness": staleness}
    run = start(data, tmp_path)

    _, errors = run.communicate(timeout=100)

    assert run.returncode == 1, errors
    assert "loss or gradient is not finite; samples" in errors
    assert "2 of 2 workers were lost" in errors
    assert not (Path(data["output"]) / "export").exists()


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

    with pytest.raises(SettingsError, match=message):
        refuse_on(3, data)


def test_ranks_that_meet_seldom_save_only_where_they_met(tmp_path: Path) -> None:
    data = recipe(tmp_path, diloco={"inner_steps": 7}, checkpoint={"every_steps": 10})

    with pytest.raises(SettingsError, match=r"every_steps 10: ranks agree every 7 steps"):
        refuse_on(2, data)


def test_a_world_without_a_rank_for_each_process_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"servers 1 \+ workers 4 = 5 ranks, .* has 4"):
        AsynchronousConfig(workers=4).check_world(4)
