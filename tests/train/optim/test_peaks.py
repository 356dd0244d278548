"""Peaks of the learning rate where a recipe names none."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from schemas.errors import SettingsError
from schemas.settings import parse_settings
from train.model.presets import resolve_model
from train.model.transformer import make_model
from train.optim.config import OptimizerConfig, ScheduleConfig
from train.optim.peaks import ModelSize, published_peak, with_peak

SMALL = ModelSize(parameters=125_000_000)


@pytest.mark.parametrize(
    ("parameters", "rate"),
    [
        # Kaplan et al. 2020, D.1: 0.003239 - 0.0001395 ln N, without embeddings.
        (1, 3.2e-3), (300_000, 1.5e-3), (1_900_000, 1.2e-3), (10_000_000, 9.9e-4), (60_000_000, 7.4e-4),
        # Brown et al. 2020, table 2.1.
        (125_000_000, 6.0e-4), (350_000_000, 3.0e-4), (760_000_000, 2.5e-4), (1_300_000_000, 2.0e-4),
        (2_700_000_000, 1.6e-4), (6_700_000_000, 1.2e-4), (13_000_000_000, 1.0e-4), (175_000_000_000, 6.0e-5),
        # Half way between two sizes of the table, and beyond it.
        (209_165_000, 4.2e-4), (2_000_000_000_000, 6.0e-5),
    ],
)  # fmt: skip
def test_adamw_follows_the_published_sizes(parameters: int, rate: float) -> None:
    assert published_peak(OptimizerConfig(), ModelSize(parameters=parameters)).value == rate


@pytest.mark.parametrize(
    ("preset", "embeddings", "rate"),
    [
        # GPT-2 small: 50,257 tokens and 1,024 positions of 768 numbers; 85,056,000 are left.
        ("gpt2-small", 39_383_808, 6.9e-4),
        # Untied, rotary: tables of 256 numbers for tokens and for the head.
        ("llama-tiny", 2 * 50_257 * 256, 1.2e-3),
        ("bert-base", (50_257 + 512 + 2) * 768, 6.0e-4),
        ("gpt3-125m", 39_383_808 + 1_024 * 768, 6.0e-4),
    ],
)
def test_below_125_million_parameters_embeddings_do_not_count(
    preset: str, embeddings: int, rate: float
) -> None:
    fields = {"preset": preset} | ({"max_positions": 512} if preset == "bert-base" else {})
    shape = resolve_model(fields, vocab_size=50_257, seq_len=512)

    assert shape.num_embedding_parameters() == embeddings
    assert published_peak(OptimizerConfig(), ModelSize.of(shape)).value == rate


@pytest.mark.parametrize(
    "preset",
    ["gpt2-test", "opt-test", "llama-test", "neox-test", "t5-test", "t5-v1.1-test", "bert-test"],
)
def test_embeddings_are_the_tables_that_models_have(preset: str) -> None:
    shape = resolve_model({"preset": preset}, vocab_size=90, seq_len=16)
    with torch.device("meta"):
        model = make_model(shape)

    tables = [m.weight for m in model.modules() if isinstance(m, torch.nn.Embedding)]
    heads = [] if shape.tied_head else [model.get_parameter("head.weight")]

    found = sum(table.numel() for table in [*tables, *heads])
    assert shape.num_embedding_parameters() == found


def test_the_rate_never_grows_with_the_size() -> None:
    sizes = [round(10 ** (exponent / 20)) for exponent in range(80, 240)]
    rates = [published_peak(OptimizerConfig(), ModelSize(parameters=size)).value for size in sizes]

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
    peak = published_peak(OptimizerConfig.model_validate({"name": name}), SMALL)

    assert peak.value == rate
    assert source in peak.source


@pytest.mark.parametrize("optimizer", [{"name": "sgd"}, {"plugin": "mine:Own"}])
def test_where_none_is_published_a_number_is_asked_for(optimizer: dict[str, Any]) -> None:
    config = OptimizerConfig.model_validate(optimizer)

    with pytest.raises(SettingsError, match=r"schedule\.peak_lr: .* give a number"):
        with_peak(ScheduleConfig(), config, SMALL)
    assert with_peak(ScheduleConfig(peak_lr=0.1), config, SMALL).peak == 0.1


@pytest.mark.parametrize("written", [{}, {"peak_lr": None}, {"peak_lr": "auto"}])
def test_auto_null_and_nothing_are_the_published_one(written: dict[str, Any]) -> None:
    schedule = parse_settings(ScheduleConfig, written, where="test")

    assert with_peak(schedule, OptimizerConfig(), SMALL).peak == 6.0e-4


def test_a_number_that_a_recipe_names_stays() -> None:
    schedule = ScheduleConfig(peak_lr=3e-4)

    assert with_peak(schedule, OptimizerConfig(), SMALL) is schedule


@pytest.mark.parametrize("name", ["min_lr", "warmup_start_lr"])
def test_another_rate_above_the_published_peak_is_refused(name: str) -> None:
    schedule = ScheduleConfig.model_validate({name: 0.01})

    with pytest.raises(
        SettingsError, match=re.escape(f"schedule.{name} 0.01: above the peak of 0.0006 (Brown")
    ):
        with_peak(schedule, OptimizerConfig(), SMALL)
