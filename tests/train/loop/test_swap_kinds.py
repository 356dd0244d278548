"""Swaps of batch, mixture and activation: at their step, the same after restarts, and replayed to the bit."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.record import ROOT
from benchmarks.train.swap_jumps import CASES, markdown
from tests.support.datasets import DatasetShape, write_dataset
from tests.support.stopping import StopAfter
from tests.train.loop.test_resume import settings, weights
from tests.train.loop.test_spikes import records
from tests.train.loop.test_spikes import train as train_poisoned
from tests.train.loop.test_swaps import ALONE, ask, kinds, start
from train.loop.interventions import Interventions
from train.loop.open_run import open_run
from train.loop.plan import RunPlan
from train.loop.replay import open_replay
from train.loop.run import pretrain
from train.loop.swap_requests import moment_of
from train.loop.swap_settings import Moment, with_swap
from train.loop.swaps import swaps_of_run
from train.model.blend import ActivationBlend
from train.model.config import ModelConfig
from train.model.layers import MLP, activate
from train.report.events import read_events
from train.settings import ActivationBlendConfig, TrainSettings

SWAP_STEP = 3


def real(data: Path, output: Path) -> TrainSettings:
    """A run of a model of ours: six steps, a checkpoint after each second one."""
    return settings(
        data, output, model={"preset": "gpt2-test", "dropout": 0.1}, evaluation=None,
        checkpoint={"every_steps": 2, "keep_last": 9, "export": False},
        metrics={"tensorboard": False, "peak_flops": 1e12},
    )  # fmt: skip


def run_to(config: TrainSettings, *counts: int) -> None:
    for count in counts:
        pretrain(config, stop_flag=partial(StopAfter, count))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two datasets that differ in their rows."""
    write_dataset(tmp_path / "other", DatasetShape(seed=7))
    return write_dataset(tmp_path / "data").parent


@pytest.mark.parametrize("kind", ["batch", "mixture", "activation"])
def test_a_swap_is_the_same_however_the_run_is_cut_and_replayed(
    data: Path, tmp_path: Path, kind: str
) -> None:
    asked, blend = {
        "batch": ("batch.sequences=6", 0),
        "mixture": (f"manifest={tmp_path / 'other'}", 0),
        "activation": ("model.activation=relu", 2),
    }[kind]
    plain, whole, cut = (real(data, tmp_path / name) for name in ("plain", "whole", "cut"))
    run_to(plain, 99)
    for config, counts in ((whole, (99,)), (cut, (1, 1, 99))):
        run_to(config, 1)
        ask(Path(config.output), SWAP_STEP, asked, blend_steps=blend)
        run_to(config, *counts)

    found, other = records(Path(whole.output)), records(Path(plain.output))
    assert [one["loss"] for one in found[:3]] == [one["loss"] for one in other[:3]]
    assert found[3]["loss"] != other[3]["loss"]
    assert [one["loss"] for one in records(Path(cut.output))] == [one["loss"] for one in found]
    one, two = weights(Path(whole.output)), weights(Path(cut.output))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert kinds(Path(cut.output)).count("swap") == 1
    with open_replay(whole, ALONE) as replay:  # from before the swap, over it, to the end
        replay.go_to(2)
        again = [step.totals.mean for step in replay.outcomes(6)]
    assert again == [step["loss"] for step in found[2:]]


def test_a_swap_that_was_accepted_survives_a_kill_before_its_step(
    data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    start(str(data), str(run), 1)
    ask(run, 5, "schedule.peak_lr=0.005")
    start(str(data), str(run), 1)  # it takes the request up, and saves at step 2
    assert [event["kind"] for event in swaps_of_run(run)] == ["swap_accepted"]
    assert not (run / "swap.json").exists()

    start(str(data), str(run))

    assert [event["step"] for event in swaps_of_run(run) if event["kind"] == "swap"] == [5]


def test_a_run_that_goes_back_before_a_swap_has_the_settings_of_then(
    data: Path, tmp_path: Path
) -> None:
    """Step 4 spikes after a swap at step 3: back to step 2, with the rate of before, and the swap again at 3."""
    run, plain = tmp_path / "run", tmp_path / "plain"
    action = {"kind": "roll_back", "steps_back": 2, "batches": 3}
    train_poisoned(str(data), str(plain), action)
    train_poisoned(str(data), str(run), action, (1,))
    ask(run, 3, "schedule.peak_lr=0.005")
    train_poisoned(str(data), str(run), action)

    rates = [
        one["lr"] / other["lr"] for one, other in zip(records(run), records(plain), strict=True)
    ]
    assert rates == pytest.approx([1, 1, 1, 0.5, 0.5, 0.5])
    turns = [(event["kind"], event["step"]) for event in read_events(run / "events.jsonl")]
    assert [turn for turn in turns if turn[0] in ("swap", "rollback")] == [
        ("swap", 3), ("rollback", 2), ("swap", 3)
    ]  # fmt: skip
    assert [one["loss"] for one in records(run)[:3]] == [one["loss"] for one in records(plain)[:3]]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("manifest=gone", "gone"),
        ("manifest=shorter", "its seq_len is 8, that of the first manifest 16"),
        ("manifest=cut", "shard-00001.parquet: shard is missing"),
        ("model.activation=relu", "it would blend until step 9, the run ends after 6"),
    ],
)
def test_what_a_run_cannot_become_is_refused_with_both_sides_and_it_goes_on(
    data: Path, tmp_path: Path, asked: str, reason: str
) -> None:
    write_dataset(tmp_path / "shorter", DatasetShape(seq_len=8))
    write_dataset(tmp_path / "cut", DatasetShape(seed=7))
    (tmp_path / "cut" / "shard-00001.parquet").unlink()
    key, value = asked.split("=")
    run, is_data = tmp_path / "run", key == "manifest"
    config = real(data, run)
    run_to(config, 1)
    ask(run, 4, f"{key}={tmp_path / value}" if is_data else asked, blend_steps=5)

    run_to(config, 99)

    (refused,) = [e for e in read_events(run / "events.jsonl") if e["kind"] == "swap_refused"]
    assert reason in refused["reason"]
    assert "swap" not in kinds(run)
    assert len(records(run)) == 6


def test_a_mixture_leaves_the_ranges_of_both_in_the_certificate(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    start(str(data), str(run), 1)
    ask(run, SWAP_STEP, f"manifest={tmp_path / 'other'}")
    start(str(data), str(run))

    body = json.loads((run / "certificate.json").read_text(encoding="utf-8"))
    assert [one["first_sample"] for one in body["manifests"]] == [0, 36]
    assert len({one["root"] for one in body["manifests"]}) == 2
    (event,) = [e for e in read_events(run / "events.jsonl") if e["kind"] == "swap"]
    assert (event["step"], event["tokens"]) == (SWAP_STEP, 36 * 16)


def test_the_moment_of_a_run_counts_what_was_jumped_over(data: Path, tmp_path: Path) -> None:
    run = open_run(real(data, tmp_path / "run"), ALONE)
    skip = run.trainer.plan.skip_batches(1, 2)
    run.trainer.take_course(Interventions(skips=(skip,)))
    run.trainer.step = 3

    assert moment_of(run) == Moment(
        step=3, tokens=5 * 12 * 16, activation="gelu_tanh", total_steps=6
    )


def plan(batch: dict[str, Any], **stop: int) -> RunPlan:
    made = TrainSettings.model_validate(
        {"manifest": "m", "output": "o", "stop": stop, "batch": batch}
    )
    return RunPlan(batch=made.batch, stop=made.stop, seq_len=16, rows_per_pass=100)


def test_a_plan_with_other_batches_reads_every_row_once() -> None:
    """Against the steps one after the other."""
    ramp = {"start_sequences": 4, "over_tokens": 640, "quantum": 4}
    changes = [{"from_step": 3, "sequences": 20}, {"from_step": 7, "sequences": 2}]
    made = plan({"sequences": 12, "ramp": ramp, "changes": changes}, tokens=16 * 120)

    rows = 0
    for step in range(made.total_steps):
        span = made.span(step)
        assert span.start == rows
        rows += span.count
    assert [made.span(step).count for step in (0, 2, 3, 6, 7, 30)] == [4, 4, 20, 20, 2, 2]
    assert rows >= 120 > made.trained_samples(made.total_steps - 1)


def test_later_swaps_replace_what_was_planned_for_later() -> None:
    before = TrainSettings.model_validate(
        {
            "output": "o",
            "stop": {"steps": 9},
            "data": [{"manifest": "a", "until_tokens": 320}, {"manifest": "b"}],
            "batch": {
                "changes": [{"from_step": 2, "sequences": 8}, {"from_step": 6, "sequences": 9}]
            },
        }
    )

    early = with_swap(before, ["manifest=c", "batch.sequences=5"], Moment(step=4, tokens=160))
    late = with_swap(before, ["manifest=c"], Moment(step=8, tokens=640))

    assert [(span.manifest, span.until_tokens) for span in early.spans] == [("a", 160), ("c", None)]
    assert [(span.manifest, span.until_tokens) for span in late.spans] == [
        ("a", 320), ("b", 640), ("c", None)
    ]  # fmt: skip
    assert [(one.from_step, one.sequences) for one in early.batch.changes] == [(2, 8), (4, 5)]


def test_a_blend_begins_with_the_old_activation_and_ends_with_the_new_one() -> None:
    torch.manual_seed(0)
    shape = ModelConfig(
        family="gpt2", vocab_size=8, width=8, num_heads=2, num_layers=1, mlp_width=16,
        max_positions=8, activation="relu",
    )  # fmt: skip
    mlp, hidden = MLP(shape), torch.randn(2, 3, 8)
    blend = ActivationBlend.of(
        ActivationBlendConfig(before="gelu", from_step=5, steps=4), [mlp], torch.device("cpu")
    )

    def at(step: int) -> torch.Tensor:
        blend.go_to(step)
        return mlp(hidden)  # type: ignore[no-any-return]

    up = mlp.up(hidden)
    gelu, relu = mlp.down(activate("gelu", up)), mlp.down(activate("relu", up))
    assert torch.equal(at(4), gelu)
    assert torch.allclose(at(6), (gelu + relu) / 2, atol=1e-6)
    assert torch.equal(at(8), relu)
    assert torch.equal(at(0), gelu)  # a run that goes back


def test_the_table_of_jumps_is_that_of_the_result_file() -> None:
    page = (ROOT / "docs" / "branches.md").read_text(encoding="utf-8")
    cases = json.loads((ROOT / "benchmarks/results/swap_jumps.json").read_text("utf-8"))["cases"]

    assert markdown(cases) in page
    assert set(cases) == set(CASES)
