"""How the selftest judges a cell, which schedules it knows, and what a checkpoint must share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest
import torch

from train.loop.checkpoints import ManifestSpan, RunCheckpoints
from train.model.presets import resolve_model
from train.parallel.config import ScheduleKind
from train.parallel.pipeline import SCHEDULES
from train.selftest.strategy_matrix import BOUNDS, Cell, Trace, compare
from train.warm_start.config import WarmStartConfig
from train.warm_start.summary import StartReport


def traced(loss: float, weight: float, bias: float) -> Trace:
    gradients = {"weight": torch.tensor([weight, -2.0]), "bias": torch.tensor([bias])}
    return Trace(losses=[loss] * 5, gradients=[gradients, gradients])


def test_the_worst_error_is_named() -> None:
    dtype = next(iter(BOUNDS))

    assert compare(traced(2.0, 1.0, 4.0), traced(2.0, 1.0, 4.0), 0, dtype) == (0.0, "loss")
    error, where = compare(traced(2.0, 1.5, 4.0), traced(2.0, 1.0, 4.0), 1, dtype)
    assert (error, where) == (pytest.approx(0.25), "weight")
    error, where = compare(traced(3.0, 1.0, 4.0), traced(2.0, 1.0, 4.0), 1, dtype)
    assert (error, where) == (pytest.approx(0.5), "loss")


def test_a_cell_passes_within_the_bounds_of_its_type() -> None:
    dtype, (first, last) = next(iter(BOUNDS.items()))
    plain: dict[str, Any] = {
        "family": "t5", "strategy": "tp", "dtype": dtype, "where": "loss", "seconds": 1.0,
    }  # fmt: skip

    assert Cell(**plain, first=first, last=last).passed
    assert not Cell(**plain, first=2 * first, last=last).passed
    assert not Cell(**plain, first=first, last=float("nan")).passed


def test_every_schedule_of_a_recipe_has_a_class() -> None:
    assert set(SCHEDULES) == set(get_args(ScheduleKind))


@pytest.mark.parametrize(
    ("step", "is_last", "saves"), [(4, False, True), (5, False, False), (5, True, True)]
)
def test_a_run_is_saved_where_it_is_asked_and_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    is_last: bool,  # noqa: FBT001
    saves: bool,  # noqa: FBT001
) -> None:
    saved: list[int] = []
    checkpoints = RunCheckpoints(
        store=cast("Any", SimpleNamespace(config=SimpleNamespace(every_steps=4))),
        trainer=cast("Any", SimpleNamespace(step=step)),
        identity={}, recipe={}, manifest_uri="m", spans=[ManifestSpan(0, "root")],
        events=cast("Any", None),
    )  # fmt: skip
    monkeypatch.setattr(RunCheckpoints, "save", lambda own: saved.append(own.trainer.step))

    checkpoints.after_step(is_last=is_last)

    assert saved == ([step] if saves else [])


def test_the_first_loss_is_judged_on_rows_that_are_worth_their_time() -> None:
    config = resolve_model({"preset": "gpt2-test"}, vocab_size=50, seq_len=16)
    start = cast("Any", SimpleNamespace(config=config, source=None, new_rows=None))
    begun = cast("Any", None)

    assert StartReport.of(start, begun, None) is None
    opening = StartReport.of(start, begun, WarmStartConfig(source="gpt2-test"))
    assert opening is not None
    assert opening.num_rows(16) == opening.rows
    assert opening.num_rows(10**9) == 0
