"""Settings that change while a run goes on, and the same after a kill."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from schemas.errors import ContractError, SettingsError
from tests.support.datasets import write_dataset
from tests.support.ranks import run_on_ranks
from tests.support.stopping import StopAfter
from tests.support.tiny_gpt import build_tiny
from tests.train.loop.test_resume import settings, weights
from tests.train.loop.test_spikes import records
from train.commands import swap as command
from train.distributed.world import World
from train.loop import open_run as open_module
from train.loop.replay import open_replay
from train.loop.run import pretrain
from train.loop.swap_settings import Moment, with_swap
from train.loop.swaps import REFUSED_NAME, REQUEST_NAME, Swap, run_of, write_request
from train.report.events import read_events

ALONE = World(rank=0, size=1, device=torch.device("cpu"))


def start(data: str, output: str, count: int = 100) -> None:
    with mock.patch.object(open_module, "build_run", build_tiny):
        config = settings(
            Path(data), Path(output), evaluation=None,
            checkpoint={"every_steps": 2, "keep_last": 9, "export": False},
        )  # fmt: skip
        pretrain(config, stop_flag=partial(StopAfter, count))


def ask(
    run: Path, at: int | None, *overrides: str, rewarm_steps: int = 0, blend_steps: int = 0
) -> None:
    name = run_of(read_events(run / "events.jsonl"))
    swap = Swap(
        at=at, overrides=overrides, rewarm_steps=rewarm_steps, run=name, blend_steps=blend_steps
    )
    write_request(run, swap)


def kinds(run: Path) -> list[str]:
    return [event["kind"] for event in read_events(run / "events.jsonl")]


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(write_dataset(tmp_path / "data").parent)


def test_a_rate_changes_at_its_step_and_stays_so_after_a_restart(data: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    start(data, str(tmp_path / "plain"))
    start(data, str(run), 1)
    ask(run, 3, "schedule.peak_lr=0.005")
    start(data, str(run), 4)
    start(data, str(run))

    found, plain = records(run), records(tmp_path / "plain")
    rates = [one["lr"] / other["lr"] for one, other in zip(found, plain, strict=True)]
    assert rates == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5])
    assert [one["loss"] for one in found[:4]] == [one["loss"] for one in plain[:4]]
    assert kinds(run).count("swap") == 1
    assert not (run / REQUEST_NAME).exists()
    with (
        mock.patch.object(open_module, "build_run", build_tiny),
        open_replay(settings(Path(data), run), ALONE) as replay,
    ):
        replay.go_to(4)
        assert [one.totals.mean for one in replay.outcomes(6)] == [one["loss"] for one in found[4:]]


def test_another_optimizer_begins_anew_and_its_rate_climbs(data: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    start(data, str(run), 1)
    ask(run, None, "optimizer.name=lion", "schedule.peak_lr=0.001", rewarm_steps=4)
    start(data, str(run))

    event = next(one for one in read_events(run / "events.jsonl") if one["kind"] == "swap")
    assert (event["step"], event["fresh_optimizer"]) == (2, True)
    whole = weights(run)
    assert any(name.endswith("exp_avg") for name in whole)
    assert not any(name.endswith("exp_avg_sq") for name in whole)
    rates = [one["lr"] for one in records(run)]
    assert rates[2] < 0.001 / 3  # a quarter of a tenth of what it was


def test_a_kill_before_the_next_checkpoint_ends_with_the_same_weights(
    data: str, tmp_path: Path
) -> None:
    for name in ("whole", "cut"):
        start(data, str(tmp_path / name), 1)
        ask(tmp_path / name, 3, "optimizer.weight_decay=0.5", "schedule.peak_lr=0.02")
    start(data, str(tmp_path / "whole"))
    real = open_module.Trainer.update

    def dies(self: Any, *args: Any, **more: Any) -> Any:
        if self.step == 3:
            raise KeyboardInterrupt
        return real(self, *args, **more)

    with (
        mock.patch.object(open_module.Trainer, "update", dies),
        pytest.raises(KeyboardInterrupt),
    ):
        start(data, str(tmp_path / "cut"))
    start(data, str(tmp_path / "cut"))

    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


@pytest.mark.parametrize("fault", ["altered", "other run", "late", "broken"])
def test_a_request_that_cannot_be_meant_is_put_aside_and_the_run_goes_on(
    data: str, tmp_path: Path, fault: str
) -> None:
    run = tmp_path / "run"
    start(data, str(run), 2)
    ask(run, 1 if fault == "late" else 4, "schedule.peak_lr=0.005")
    path = run / REQUEST_NAME
    body = json.loads(path.read_text())
    if fault == "altered":
        path.write_text(json.dumps({**body, "overrides": ["schedule.peak_lr=9"]}))
    if fault == "other run":
        write_request(run, Swap(at=4, overrides=("schedule.peak_lr=9",), rewarm_steps=0, run="x"))
    if fault == "broken":
        path.write_text("{")

    start(data, str(run))

    assert kinds(run).count("swap_refused") == 1
    assert "swap" not in kinds(run)
    assert (run / REFUSED_NAME).exists()
    assert len(records(run)) == 6


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("batch.microbatch=4", "batch.microbatch: cannot be swapped while a run goes on"),
        ("batch.sequences=none", "batch.changes.0.sequences"),
        ("model.activation=swiglu", "relu is not gated, swiglu is gated: they have other weights"),
        ("schedule.paek_lr=1", "did you mean 'peak_lr'"),
        ("optimizer.name=sgd", "give schedule.peak_lr too"),
    ],
)
def test_what_cannot_be_swapped_is_refused_before_it_is_asked_for(
    tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        with_swap(settings(tmp_path, tmp_path), [override], Moment(step=2, activation="relu"))


def test_the_command_asks_with_a_warm_up_for_another_optimizer(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    start(data, str(run), 1)
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    other = ["--set", "optimizer.name=lion", "--set", "schedule.peak_lr=0.001"]

    assert command.run(parser.parse_args([str(run), *other])) == 0

    body = json.loads(Path(capsys.readouterr().out.strip()).read_text())
    assert (body["at"], body["rewarm_steps"]) == (None, 20)
    with pytest.raises(SettingsError, match="--at 6: the run ends after 6 steps"):
        command.run(parser.parse_args([str(run), "--at", "6", *other]))
    with pytest.raises(SettingsError, match="--at soon: expected next or the number"):
        command.run(parser.parse_args([str(run), "--at", "soon", *other]))
    with pytest.raises(ContractError, match="no run has begun there"):
        command.run(parser.parse_args([str(tmp_path), *other]))


@pytest.mark.distributed
def test_two_ranks_swap_together(data: str, tmp_path: Path) -> None:
    start(data, str(tmp_path / "run"), 1)
    ask(tmp_path / "run", 3, "schedule.peak_lr=0.005")
    run_on_ranks(start, 2, data, str(tmp_path / "run"))

    assert kinds(tmp_path / "run").count("swap") == 1
    assert len(records(tmp_path / "run")) == 6
