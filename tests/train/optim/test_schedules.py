"""Schedules against values worked out by hand and against LAVIS's published rule."""

from __future__ import annotations

import math

import pytest

from train.data.config import BatchConfig
from train.loop.plan import RunPlan
from train.optim.config import ScheduleConfig
from train.optim.schedules import learning_rate
from train.settings import StopConfig


def rates(steps: int, rows_per_pass: int = 1_000_000, **fields: object) -> list[float]:
    plan = RunPlan(
        batch=BatchConfig(sequences=2, microbatch=1),
        stop=StopConfig(steps=steps),
        seq_len=10,
        rows_per_pass=rows_per_pass,
    )
    config = ScheduleConfig.model_validate(fields)
    return [learning_rate(plan.progress(step), config) for step in range(steps)]


def test_cosine_warms_up_from_its_start_and_never_goes_below_its_floor() -> None:
    found = rates(11, init_lr=1.0, min_lr=0.1, warmup_lr=0.2, warmup=4)

    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert found[7] == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 3 / 7)))
    assert min(found[4:]) >= 0.1


def test_wsd_stays_and_then_falls_linearly() -> None:
    found = rates(10, lr_scheduler_type="wsd", init_lr=1.0, decay_fraction=0.4)

    assert found == pytest.approx([1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])


def test_inverse_sqrt_is_one_over_the_root_after_the_warm_up() -> None:
    found = rates(17, lr_scheduler_type="inverse_sqrt", init_lr=1.0, warmup=4)

    assert found[4] == 1.0
    assert found[16] == pytest.approx(0.5)


def test_tokens_and_steps_agree_where_the_batch_is_constant() -> None:
    by_step = rates(12, init_lr=1.0, warmup=4)
    by_token = rates(12, init_lr=1.0, warmup=80, unit="tokens")

    assert by_token == pytest.approx(by_step)


def test_epochwise_is_the_published_rule() -> None:
    # 3 passes of 4 steps; lavis/common/optims.py: warm-up while epoch == 0, then by epoch alone.
    common = {"init_lr": 1.0, "min_lr": 0.1, "warmup_lr": 0.2, "warmup": 10, "epochwise": True}
    found = rates(12, rows_per_pass=8, **common)

    warm = [min(1.0, 0.2 + 0.8 * step / 10) for step in range(4)]
    later = [0.9 * 0.5 * (1 + math.cos(math.pi * epoch / 3)) + 0.1 for epoch in (1, 2)]
    assert found == pytest.approx(warm + [later[0]] * 4 + [later[1]] * 4)


def test_spelling_of_lavis_recipes_is_accepted() -> None:
    config = ScheduleConfig.model_validate({"lr_scheduler_type": "linearwarmupcosinelr"})

    assert config.lr_scheduler_type == "linear_warmup_cosine_lr"
