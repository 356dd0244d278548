"""Peaks of the learning rate where a recipe names none."""

from __future__ import annotations

import re
from typing import Any

import pytest

from schemas.errors import SettingsError
from schemas.settings import parse_settings
from train.optim.config import OptimizerConfig, ScheduleConfig
from train.optim.peaks import published_peak, with_peak


@pytest.mark.parametrize(
    ("parameters", "rate"),
    [
        # Kaplan et al. 2020, D.1: 0.003239 - 0.0001395 ln N.
        (1, 3.2e-3), (300_000, 1.5e-3), (1_900_000, 1.2e-3), (10_000_000, 9.9e-4), (60_000_000, 7.4e-4),
        # Brown et al. 2020, table 2.1.
        (125_000_000, 6.0e-4), (350_000_000, 3.0e-4), (760_000_000, 2.5e-4), (1_300_000_000, 2.0e-4),
        (2_700_000_000, 1.6e-4), (6_700_000_000, 1.2e-4), (13_000_000_000, 1.0e-4), (175_000_000_000, 6.0e-5),
        # Half way between two sizes of the table, and beyond it.
        (209_165_000, 4.2e-4), (2_000_000_000_000, 6.0e-5),
    ],
)  # fmt: skip
def test_adamw_follows_the_published_sizes(parameters: int, rate: float) -> None:
    assert published_peak(OptimizerConfig(), parameters).value == rate


def test_the_rate_never_grows_with_the_size() -> None:
    sizes = [round(10 ** (exponent / 20)) for exponent in range(80, 240)]
    rates = [published_peak(OptimizerConfig(), size).value for size in sizes]

    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize(
    ("name", "rate", "source"),
    [
        ("adamw", 6.0e-4, "Brown et al. 2020"),
        ("muon", 6.0e-4, "Liu et al. 2025"),
        ("lion", 1.2e-4, "Chen et al. 2023"),
        ("adafactor", 1e-2, "Raffel et al. 2020"),
    ],
)
def test_each_optimizer_has_a_rate_and_its_source(name: str, rate: float, source: str) -> None:
    peak = published_peak(OptimizerConfig.model_validate({"name": name}), 125_000_000)

    assert peak.value == rate
    assert source in peak.source


@pytest.mark.parametrize("optimizer", [{"name": "sgd"}, {"plugin": "mine:Own"}])
def test_where_none_is_published_a_number_is_asked_for(optimizer: dict[str, Any]) -> None:
    config = OptimizerConfig.model_validate(optimizer)

    with pytest.raises(SettingsError, match=r"schedule\.peak_lr: .* give a number"):
        with_peak(ScheduleConfig(), config, 1_000_000)
    assert with_peak(ScheduleConfig(peak_lr=0.1), config, 1_000_000).peak == 0.1


@pytest.mark.parametrize("written", [{}, {"peak_lr": None}, {"peak_lr": "auto"}])
def test_auto_null_and_nothing_are_the_published_one(written: dict[str, Any]) -> None:
    schedule = parse_settings(ScheduleConfig, written, where="test")

    assert with_peak(schedule, OptimizerConfig(), 125_000_000).peak == 6.0e-4


def test_a_number_that_a_recipe_names_stays() -> None:
    schedule = ScheduleConfig(peak_lr=3e-4)

    assert with_peak(schedule, OptimizerConfig(), 10_000) is schedule


@pytest.mark.parametrize("name", ["min_lr", "warmup_start_lr"])
def test_another_rate_above_the_published_peak_is_refused(name: str) -> None:
    schedule = ScheduleConfig.model_validate({name: 0.01})

    with pytest.raises(
        SettingsError, match=re.escape(f"schedule.{name} 0.01: above the peak of 0.0006 (Brown")
    ):
        with_peak(schedule, OptimizerConfig(), 125_000_000)
