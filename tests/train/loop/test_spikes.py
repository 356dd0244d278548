"""What a run does about a spike: skipped, jumped over, gone back from, and the same after a kill."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from schemas.errors import PipelineError
from tests.support.datasets import write_dataset
from tests.support.poisoned import NO_NUMBER, build_poisoned
from tests.support.ranks import run_on_ranks
from tests.support.stopping import StopAfter
from tests.train.loop.test_resume import settings, weights
from train.loop import open_run as open_module
from train.loop.guard import SpikeError
from train.loop.interventions import Interventions, course_of_run
from train.loop.plan import SampleSkip
from train.loop.rollback import checkpoint_before
from train.loop.run import pretrain
from train.report.events import read_events

# Above 1.5 times the largest of the first two losses; step 4 reads samples 48 to 59.
DETECTORS = [{"kind": "max_of_first", "factor": 1.5, "first": 2}]
POISON = {50}


def train(
    data: str,
    output: str,
    action: dict[str, Any],
    counts: tuple[int, ...] = (100,),
    factor: float = 9.0,
    **changes: Any,
) -> None:
    stability = {"detectors": DETECTORS, "action": action, **changes.pop("stability", {})}
    with mock.patch.object(open_module, "build_run", build_poisoned(POISON, factor)):
        for count in counts:
            config = settings(
                Path(data),
                Path(output),
                stability=stability,
                checkpoint={"every_steps": 2, "keep_last": 9, "export": False},
                evaluation=None,
                **changes,
            )
            pretrain(config, stop_flag=partial(StopAfter, count))


def records(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


def kinds(output: Path) -> list[tuple[str, int]]:
    return [(event["kind"], event["step"]) for event in read_events(output / "events.jsonl")]


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(write_dataset(tmp_path / "data").parent)


def test_a_skipped_update_leaves_weights_and_states_as_they_were(data: str, tmp_path: Path) -> None:
    train(data, str(tmp_path / "run"), {"kind": "skip_update"})

    found = records(tmp_path / "run")
    assert [one["skipped"] for one in found] == [False] * 4 + [True, False]
    assert ("spike", 4) in kinds(tmp_path / "run")
    with mock.patch.object(open_module, "build_run", build_poisoned(POISON)):
        noted = {"detectors": DETECTORS, "action": {"kind": "note"}}
        pretrain(settings(Path(data), tmp_path / "noted", stability=noted, evaluation=None))
    assert [one["skipped"] for one in records(tmp_path / "noted")] == [False] * 6
    assert found[5]["loss"] != records(tmp_path / "noted")[5]["loss"]


def test_batches_that_are_jumped_over_change_neither_rate_nor_number_of_steps(
    data: str, tmp_path: Path
) -> None:
    train(data, str(tmp_path / "plain"), {"kind": "note"})
    train(data, str(tmp_path / "run"), {"kind": "skip_batches", "batches": 3})

    found = records(tmp_path / "run")
    assert [one["consumed_start"] for one in found] == [0, 12, 24, 36, 48, 60 + 36]
    assert [one["lr"] for one in found] == [one["lr"] for one in records(tmp_path / "plain")]


def test_going_back_reads_other_rows_from_the_checkpoint_on(data: str, tmp_path: Path) -> None:
    action = {"kind": "roll_back", "steps_back": 1, "batches": 4, "rate_scale": 0.5}
    train(data, str(tmp_path / "plain"), {"kind": "note"})
    train(data, str(tmp_path / "run"), action)

    found, plain = records(tmp_path / "run"), records(tmp_path / "plain")
    assert [one["consumed_start"] for one in found] == [0, 12, 24 + 48, 36 + 48, 48 + 48, 60 + 48]
    rates = [one["lr"] / other["lr"] for one, other in zip(found, plain, strict=True)]
    assert rates == pytest.approx([1, 1, 0.5, 0.5, 0.5, 0.5])
    assert kinds(tmp_path / "run")[2:4] == [("spike", 4), ("rollback", 2)]


def test_a_run_that_stops_after_it_went_back_goes_on_as_it_had_decided(
    data: str, tmp_path: Path
) -> None:
    """Six updates are asked about it: four, the spike, and the first after going back to step 2."""
    action = {"kind": "roll_back", "steps_back": 1, "batches": 4}
    train(data, str(tmp_path / "whole"), action)
    train(data, str(tmp_path / "cut"), action, (2, 4, 1, 100))

    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    assert course_of_run(str(tmp_path / "cut")).skips == (SampleSkip(at=24, count=48),)
    saved = tmp_path / "cut" / "checkpoints"
    assert checkpoint_before(saved / "step-00000006", 5) == saved / "step-00000004"
    assert [one["consumed_start"] for one in records(tmp_path / "cut")] == [0, 12, 72, 84, 96, 108]


def test_what_was_decided_before_a_kill_is_read_from_the_events(data: str, tmp_path: Path) -> None:
    """Killed at the first step after going back: the checkpoint of step 2 does not know of it."""
    action = {"kind": "roll_back", "steps_back": 1, "batches": 4}
    train(data, str(tmp_path / "whole"), action)
    real = open_module.Trainer.update
    calls: list[int] = []

    def dies(self: Any, *args: Any, **more: Any) -> Any:
        calls.append(self.step)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return real(self, *args, **more)

    with (
        mock.patch.object(open_module.Trainer, "update", dies),
        pytest.raises(KeyboardInterrupt),
    ):
        train(data, str(tmp_path / "cut"), action)
    train(data, str(tmp_path / "cut"), action)

    assert calls == [0, 1, 2, 3, 4, 2]
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


@pytest.mark.parametrize("not_finite", ["skip_update", "roll_back"])
def test_a_loss_that_is_no_number_need_not_end_the_run(
    data: str, tmp_path: Path, not_finite: str
) -> None:
    more = {"stability": {"not_finite": not_finite}}
    train(data, str(tmp_path / "run"), {"kind": "note"}, factor=NO_NUMBER, **more)

    starts = [one["consumed_start"] for one in records(tmp_path / "run")]
    # Going back without anything that changes would meet the same: the batches up to it are jumped over.
    jumped = [0, 12, 24, 36, 48 + 12, 60 + 12]
    assert starts == (jumped if not_finite == "roll_back" else [0, 12, 24, 36, 48, 60])


def test_stop_saves_what_was_there_and_names_the_step(data: str, tmp_path: Path) -> None:
    with pytest.raises(SpikeError, match="step 4: spike: max_of_first:loss") as caught:
        train(data, str(tmp_path / "run"), {"kind": "stop"})

    assert caught.value.entity == "step 4"
    assert (tmp_path / "run" / "checkpoints" / "latest").read_text() == "step-00000004"


def test_too_many_actions_stop_the_run(data: str, tmp_path: Path) -> None:
    more = {"stability": {"max_actions": 1, "detectors": [{**DETECTORS[0], "factor": 1.0001}]}}
    # Going back to a step before the spike, without other rows, at a lower rate meets it again.
    action = {"kind": "roll_back", "rate_scale": 0.5}
    with pytest.raises(PipelineError, match=r"1 actions were taken already \(stability.max_ac"):
        train(data, str(tmp_path / "run"), action, **more)


def test_the_rate_climbs_again_after_a_rewarm(data: str, tmp_path: Path) -> None:
    train(data, str(tmp_path / "plain"), {"kind": "note"}, stop={"steps": 9})
    train(data, str(tmp_path / "run"), {"kind": "rewarm", "rewarm_steps": 4}, stop={"steps": 9})

    found, plain = records(tmp_path / "run"), records(tmp_path / "plain")
    rates = [one["lr"] / other["lr"] for one, other in zip(found, plain, strict=True)]
    assert rates == pytest.approx([1, 1, 1, 1, 1, 0.25, 0.5, 0.75, 1])


@pytest.mark.distributed
def test_two_ranks_go_back_together(data: str, tmp_path: Path) -> None:
    action = {"kind": "roll_back", "steps_back": 1, "batches": 4}
    run_on_ranks(train, 2, data, str(tmp_path / "run"), action)

    starts = [one["consumed_start"] for one in records(tmp_path / "run")]
    assert starts == [0, 12, 72, 84, 96, 108]


def test_a_rate_that_climbs_is_scaled_as_well() -> None:
    course = Interventions().with_rate(step=10, scale=0.5, rewarm_steps=4)

    assert [course.rate_factor(step) for step in (9, 10, 13, 20)] == [0.0, 0.125, 0.5, 0.5]
    assert Interventions.of_state(json.loads(json.dumps(course.state()))) == course
