"""Published policies as settings, and their replay over curves."""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from schemas.errors import ContractError, SettingsError
from train.commands import simulate_policies
from train.stability.config import MadConfig, StabilityConfig
from train.stability.detectors import make_detector
from train.stability.embedding import scale_embedding_gradient
from train.stability.monitor import Readings
from train.stability.policies import POLICIES
from train.stability.simulate import Spike, noise_at, recall, replay, with_spike


def clean_curve(steps: int = 600) -> list[Readings]:
    rng = random.Random(7)
    return [Readings(loss=rng.gauss(4.0, 0.05), grad_norm=1.0) for _ in range(steps)]


def test_a_policy_gives_what_the_block_does_not_say_itself() -> None:
    palm = StabilityConfig.model_validate({"policy": "palm", "max_actions": 3})
    own = StabilityConfig.model_validate({"policy": "palm", "action": {"kind": "note"}})

    assert (palm.action.steps_back, palm.action.batches, palm.max_actions) == (100, 200, 3)
    assert own.action.kind == "note"
    assert StabilityConfig.model_validate({"policy": "glm"}).embedding_gradient_scale == 0.1


@pytest.mark.parametrize("name", POLICIES)
def test_a_stored_policy_reads_as_itself(name: str) -> None:
    config = StabilityConfig.model_validate({"policy": name})

    assert StabilityConfig.model_validate(config.model_dump(mode="json")) == config


def test_an_unknown_policy_is_told_with_the_nearest() -> None:
    with pytest.raises((SettingsError, ValidationError), match="did you mean 'palm'"):
        StabilityConfig.model_validate({"policy": "plam"})


def test_the_noise_of_a_slope_is_not_the_slope() -> None:
    rng = random.Random(1)
    falling = [8.0 - 0.02 * step + rng.gauss(0.0, 0.05) for step in range(300)]

    assert noise_at(falling, 150) == pytest.approx(0.05, rel=0.2)


def test_spikes_that_are_put_in_are_found_and_clean_curves_are_left_alone() -> None:
    config = StabilityConfig(detectors=(MadConfig(),))
    curve = clean_curve()
    spiked = with_spike(curve, Spike(deviations=20, length=2), at=400)

    assert replay(config, curve) == []
    assert [alarm.step for alarm in replay(config, spiked)] == [400, 401]
    assert recall(config, [curve], Spike(deviations=20, length=1), count=4) == 1.0
    assert recall(config, [curve], Spike(deviations=1, length=1), count=4) == 0.0


def test_a_detector_that_knows_nothing_yet_bounds_nothing() -> None:
    assert make_detector(MadConfig()).limit(1e9) == float("inf")


def test_the_forward_pass_is_untouched_and_a_tied_head_keeps_its_gradient() -> None:
    """Only what comes through the input is scaled: 0.1 for the looked-up rows, 1 for the head."""

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(3, 2)
            nn.init.ones_(self.embedding.weight)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return (self.embedding(ids) @ self.embedding.weight.T.detach()).sum() + (
                5 * self.embedding.weight[2].sum()
            )

    model = Tied()
    before = model(torch.tensor([0]))
    scale_embedding_gradient(model, 0.1)
    after = model(torch.tensor([0]))
    after.backward()  # type: ignore[no-untyped-call]

    assert torch.equal(before, after)
    assert model.embedding.weight.grad is not None
    assert model.embedding.weight.grad.tolist() == [
        [pytest.approx(0.3), pytest.approx(0.3)],
        [0, 0],
        [5, 5],
    ]


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    simulate_policies.add_arguments(parser)
    return parser.parse_args(arguments)


def write_curve(path: Path, curve: list[Readings]) -> str:
    lines = [json.dumps({"loss": one.loss, "grad_norm": one.grad_norm}) for one in curve]
    path.write_text("".join(line + "\n" for line in lines))
    return str(path)


def test_the_table_has_false_alarms_and_recall(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_curve(tmp_path / "curve.jsonl", clean_curve())

    code = simulate_policies.run(
        parsed(path, "--policy", "mad loss", "--policy", "palm", "--spikes", "2", "--json")
    )

    assert code == 0
    row, palm = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (row["policy"], palm["policy"]) == ("mad loss", "palm")
    assert row["alarms_per_1000"] == 0.0
    assert (row["loss 15 sd x 1"], row["log_grad_norm 15 sd x 1"]) == (1.0, 0.0)


def test_each_alarm_of_a_curve_with_a_nan_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    curve = clean_curve(20)
    curve[7] = Readings(loss=float("nan"), grad_norm=1.0)
    lines = [
        json.dumps({"loss": o.loss if o.loss == o.loss else None, "grad_norm": 1}) for o in curve
    ]
    (tmp_path / "curve.jsonl").write_text("\n".join(lines) + "\n")

    simulate_policies.run(parsed(str(tmp_path / "curve.jsonl"), "--policy", "default", "--alarms"))

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["step"], one["found"]) for one in found] == [(7, "not_finite")]


def test_curves_without_norms_or_too_short_for_spikes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "lacking.jsonl").write_text('{"loss": 1.0}\n')
    short = write_curve(tmp_path / "short.jsonl", clean_curve(20))

    with pytest.raises(ContractError, match="line 1: expected the fields loss and grad_norm"):
        simulate_policies.run(parsed(str(tmp_path / "lacking.jsonl")))
    with pytest.raises(ContractError, match="fewer than 300 steps"):
        simulate_policies.run(parsed(short, "--policy", "default"))
    with pytest.raises(SettingsError, match="--policy plam: unknown"):
        simulate_policies.run(parsed(short, "--policy", "plam"))
