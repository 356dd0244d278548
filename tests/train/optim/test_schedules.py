"""Schedules against values worked out by hand and against LAVIS's published rule."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import transformers
from torch.optim import lr_scheduler

from train.data.config import BatchConfig
from train.loop.plan import RunPlan
from train.optim.config import ScheduleConfig
from train.optim.schedules import Progress, learning_rate
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
    found = rates(11, peak_lr=1.0, min_lr=0.1, warmup_start_lr=0.2, warmup=4)

    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert found[7] == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 3 / 7)))
    assert min(found[4:]) >= 0.1


def test_wsd_stays_and_then_falls_linearly() -> None:
    found = rates(10, lr_scheduler_type="wsd", peak_lr=1.0, decay_fraction=0.4)

    assert found == pytest.approx([1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])


def test_wsd_sqrt_falls_fast_at_first() -> None:
    found = rates(10, lr_scheduler_type="wsd_sqrt", peak_lr=1.0, decay_fraction=0.4)

    assert found == pytest.approx([1] * 7 + [0.5, 1 - math.sqrt(0.5), 1 - math.sqrt(0.75)])


def test_inverse_sqrt_is_one_over_the_root_after_the_warm_up() -> None:
    found = rates(17, lr_scheduler_type="inverse_sqrt", peak_lr=1.0, warmup=4)

    assert found[4] == 1.0
    assert found[16] == pytest.approx(0.5)


def test_tokens_and_steps_agree_where_the_batch_is_constant() -> None:
    by_step = rates(12, peak_lr=1.0, warmup=4)
    by_token = rates(12, peak_lr=1.0, warmup=80, unit="tokens")

    assert by_token == pytest.approx(by_step)


def test_epochwise_is_the_published_rule() -> None:
    # 3 passes of 4 steps; lavis/common/optims.py: warm-up while epoch == 0, then by epoch alone.
    common = {
        "peak_lr": 1.0,
        "min_lr": 0.1,
        "warmup_start_lr": 0.2,
        "warmup": 10,
        "epochwise": True,
    }
    found = rates(12, rows_per_pass=8, **common)

    warm = [min(1.0, 0.2 + 0.8 * step / 10) for step in range(4)]
    later = [0.9 * 0.5 * (1 + math.cos(math.pi * epoch / 3)) + 0.1 for epoch in (1, 2)]
    assert found == pytest.approx(warm + [later[0]] * 4 + [later[1]] * 4)


def test_spelling_of_lavis_recipes_is_accepted() -> None:
    config = ScheduleConfig.model_validate({"lr_scheduler_type": "linearwarmupcosinelr"})

    assert config.lr_scheduler_type == "linear_warmup_cosine_lr"


INIT, MIN, START, WARMUP, TOTAL = 1e-4, 1e-5, 2e-5, 7, 40


def stepped(make: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]) -> list[float]:
    """Rates that a scheduler of another library gives to the updates of a run."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=INIT)
    scheduler = make(optimizer)
    found = []
    for _ in range(TOTAL):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return found


def warmed(then: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]) -> list[float]:
    """torch's linear warm-up from START, then another of its schedulers."""
    return stepped(
        lambda optimizer: lr_scheduler.SequentialLR(
            optimizer,
            [
                lr_scheduler.LinearLR(optimizer, START / INIT, 1.0, WARMUP),
                then(optimizer),
            ],
            [WARMUP],
        )
    )


def test_cosine_is_that_of_torch() -> None:
    expected = warmed(lambda o: lr_scheduler.CosineAnnealingLR(o, TOTAL - WARMUP, MIN))

    found = rates(TOTAL, peak_lr=INIT, min_lr=MIN, warmup_start_lr=START, warmup=WARMUP)

    assert found == pytest.approx(expected, rel=1e-9)


def test_constant_is_that_of_torch() -> None:
    expected = warmed(lambda o: lr_scheduler.ConstantLR(o, factor=1.0))

    kind = {"lr_scheduler_type": "constant"}
    found = rates(TOTAL, peak_lr=INIT, warmup_start_lr=START, warmup=WARMUP, **kind)

    assert found == pytest.approx(expected, rel=1e-9)


def test_steps_are_those_of_torch_down_to_the_floor() -> None:
    expected = stepped(lambda o: lr_scheduler.StepLR(o, step_size=4, gamma=0.7))

    fields = {"lr_decay_rate": 0.7, "decay_every": 4, "lr_scheduler_type": "linear_warmup_step_lr"}
    found = rates(TOTAL, peak_lr=INIT, min_lr=MIN, warmup=0, **fields)

    assert found == pytest.approx([max(rate, MIN) for rate in expected], rel=1e-9)
    assert found[-1] == MIN
    assert expected[-1] < MIN


def test_inverse_sqrt_is_that_of_transformers() -> None:
    expected = stepped(
        lambda o: transformers.get_inverse_sqrt_schedule(o, WARMUP, timescale=WARMUP)
    )

    kind = {"lr_scheduler_type": "inverse_sqrt"}
    found = rates(TOTAL, peak_lr=INIT, min_lr=0.0, warmup_start_lr=0.0, warmup=WARMUP, **kind)

    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("kind", "theirs"), [("wsd", "linear"), ("wsd_sqrt", "1-sqrt")])
def test_cooldowns_are_those_of_transformers(kind: str, theirs: str) -> None:
    expected = stepped(
        lambda o: transformers.get_wsd_schedule(
            o,
            num_warmup_steps=WARMUP,
            num_decay_steps=10,
            num_training_steps=TOTAL,
            decay_type=theirs,
            min_lr_ratio=MIN / INIT,
        )
    )

    fields = {"lr_scheduler_type": kind, "decay_fraction": 0.25}
    # Its warm-up begins at the floor.
    found = rates(TOTAL, peak_lr=INIT, min_lr=MIN, warmup_start_lr=MIN, warmup=WARMUP, **fields)

    assert found == pytest.approx(expected, rel=1e-9)


def test_epochwise_steps_are_the_published_rule() -> None:
    # 5 passes of 4 steps; lavis/common/optims.py: max(min_lr, init_lr * rate ** epoch).
    fields = {"lr_decay_rate": 0.5, "lr_scheduler_type": "linear_warmup_step_lr"}
    common = {"peak_lr": 1.0, "min_lr": 0.1, "warmup_start_lr": 0.2, "warmup": 2, "epochwise": True}
    found = rates(20, rows_per_pass=8, **common, **fields)

    later = [rate for rate in (0.5, 0.25, 0.125, 0.1) for _ in range(4)]
    assert found == pytest.approx([0.2, 0.6, 1.0, 1.0, *later])


@pytest.mark.parametrize(
    "kind",
    [
        "linear_warmup_cosine_lr",
        "linear_warmup_step_lr",
        "inverse_sqrt",
        "wsd",
        "wsd_sqrt",
        "constant",
    ],
)
def test_no_schedule_goes_below_its_floor_after_the_warm_up(kind: str) -> None:
    fields = {"lr_decay_rate": 0.5, "decay_every": 3, "lr_scheduler_type": kind}
    found = rates(200, peak_lr=INIT, min_lr=6e-5, warmup_start_lr=0.0, warmup=WARMUP, **fields)

    assert min(found[WARMUP:]) >= 6e-5
    assert found[0] == 0.0


def progress_of(step: int, *, total: int = 1000) -> Progress:
    return Progress(
        step=step, tokens=step * 100, total_steps=total, total_tokens=total * 100,
        tokens_per_pass=total * 100, step_in_pass=step,
    )  # fmt: skip


def test_by_default_a_hundredth_of_the_run_is_warm_up_and_its_first_step_moves() -> None:
    config = ScheduleConfig(peak_lr=1.0)

    rates = [learning_rate(progress_of(step), config) for step in (0, 5, 10)]

    assert rates == [pytest.approx(0.1), pytest.approx(0.55), 1.0]


def test_the_share_is_the_same_in_tokens() -> None:
    steps = ScheduleConfig(peak_lr=1.0, unit="steps")
    tokens = ScheduleConfig(peak_lr=1.0, unit="tokens")

    for step in (0, 1, 9, 10, 500, 999):
        expected = learning_rate(progress_of(step), steps)
        assert learning_rate(progress_of(step), tokens) == pytest.approx(expected)


def test_decays_are_counted_after_the_warm_up_so_that_the_peak_is_reached() -> None:
    config = ScheduleConfig(
        lr_scheduler_type="linear_warmup_step_lr", peak_lr=1.0, warmup=5, decay_every=5,
        lr_decay_rate=0.5, warmup_start_lr=0.0,
    )  # fmt: skip

    rates = [learning_rate(progress_of(step), config) for step in (4, 5, 9, 10, 15)]

    assert rates == [pytest.approx(0.8), 1.0, 1.0, 0.5, 0.25]


def test_a_curve_that_knows_no_end_has_no_warm_up_of_its_own() -> None:
    config = ScheduleConfig(lr_scheduler_type="constant", peak_lr=1.0)

    assert learning_rate(progress_of(0), config) == 1.0
