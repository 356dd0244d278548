"""The measurement of rates that transfer: models are trained once, best rates are found between those of the grid."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.train import rate_transfer as module
from benchmarks.train.rate_transfer import (
    FAMILIES,
    RATES,
    SIZES,
    Trial,
    planned,
    read_lines,
    summary,
    table_text,
    train_all,
)


def _loss(trial: Trial) -> float:
    """A parabola over the logarithm of the rate; in the standard way it moves with the width by an octave and a half."""
    moved = -1.5 if (trial.way, trial.size) == ("standard", "width x 4") else 0.0
    octave = torch.log2(torch.tensor(trial.rate, dtype=torch.float64)).item()
    return 2.0 + 0.01 * (octave + 5.75 - 0.1 * trial.seed - moved) ** 2


def test_shifts_and_costs_are_those_of_known_curves() -> None:
    losses = {one: _loss(one) for one in planned(["gpt2"], steps=1, seeds=3)}

    found = summary(losses, "gpt2", 1, 3)

    assert found["standard"]["width x 4"]["shift_octaves"]["mean"] == pytest.approx(-1.5)
    assert found["parametrised"]["width x 4"]["shift_octaves"]["by_seed"] == [0, 0, 0]
    # All seeds together choose 2^-6; the wide one's best is at 2^-7.25, and -7 the nearest.
    cost = found["standard"]["width x 4"]["cost_of_base_rate_nats"]["by_seed"][0]
    assert cost == pytest.approx(0.01 * (1.25**2 - 0.25**2), abs=1e-4)
    assert set(found["standard"]) == set(SIZES)
    assert "| gpt2 | width x 4 | standard | -1.50 (-1.50 to -1.50) |" in table_text({"gpt2": found})


def test_the_base_is_trained_once_for_both_ways_and_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Trial] = []

    def fake(trial: Trial, chain: torch.Tensor) -> float:
        trained.append(trial)
        return _loss(trial)

    monkeypatch.setattr(module, "final_loss", fake)
    path = tmp_path / "lines.jsonl"
    first = planned(["bert"], steps=1, seeds=1)
    train_all(first, path)
    train_all(planned(["bert"], steps=1, seeds=2), path)

    assert len(first) == 5 * len(RATES)
    assert len(trained) == len(set(trained)) == 2 * len(first)
    assert read_lines(path).keys() == set(trained)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_the_chain(family: str) -> None:
    chain = torch.softmax(
        2 * torch.randn(module.TOKENS, module.TOKENS, generator=torch.Generator().manual_seed(0)), dim=1
    )  # fmt: skip

    loss = module.final_loss(Trial(family, "parametrised", "base", 2.0**-6, 0, 40), chain)

    assert loss < 3.9  # a uniform guess has 4.16, the chain itself less than 3
