"""Low precision, seen from outside: losses near fp32, fp32 masters, overflow and recovery."""

from __future__ import annotations

import logging
from typing import Any
from unittest import mock

import pytest
import torch

from train.distributed import precision
from train.distributed.precision import autocast_type, log_type
from train.distributed.world import World
from train.loop.scaler import LossScaler
from train.selftest.cases import FAMILIES, Case
from train.selftest.run import build_trainer, train_steps

ALONE = World(rank=0, size=1, device=torch.device("cpu"))
ONE = Case(name="one", parallel={}, microbatches=2)


def trainer_of(compute: str, family: int = 0) -> tuple[Any, Any]:
    changes = {"precision": {"compute": compute}}
    shallow = FAMILIES[family].model | {"num_layers": 2}
    small = type(FAMILIES[family])(
        name="small", model=shallow, objective=FAMILIES[family].objective
    )
    return build_trainer(small, ONE, ALONE, "float32", changes=changes)


@pytest.mark.parametrize("family", range(4))
@pytest.mark.parametrize(("compute", "bound"), [("bf16", 0.02), ("fp16", 0.005)])
def test_losses_stay_near_fp32_and_weights_are_fp32(
    family: int, compute: str, bound: float
) -> None:
    exact, low = trainer_of("fp32", family), trainer_of(compute, family)
    if compute == "fp16":
        low[0].scaler = LossScaler(scale=1024.0, growth_interval=100)

    expected = train_steps(*exact, 3)
    found = train_steps(*low, 3)

    assert found == pytest.approx(expected, rel=bound)
    assert found != expected
    states = low[0].optimizer.state.values()
    assert {p.dtype for p in low[0].strategy.parts[0].parameters()} == {torch.float32}
    assert {s["exp_avg"].dtype for s in states} == {torch.float32}


def test_an_overflow_skips_the_update_halves_the_scale_and_training_recovers() -> None:
    trainer, items = trainer_of("fp16")
    trainer.scaler = LossScaler(scale=2.0**40, growth_interval=4)
    before = [p.detach().clone() for p in trainer.strategy.parts[0].parameters()]

    outcome = trainer.update(lambda span: iter(items[span.step]), stop_asked=False)

    assert outcome.is_skipped
    assert trainer.scaler.scale == 2.0**39
    now = trainer.strategy.parts[0].parameters()
    assert all(torch.equal(a, b) for a, b in zip(before, now, strict=True))
    assert not trainer.optimizer.state

    skipped = 1
    while outcome.is_skipped:
        trainer.step = 0
        outcome = trainer.update(lambda span: iter(items[span.step]), stop_asked=False)
        skipped += outcome.is_skipped
    assert trainer.scaler.scale == 2.0 ** (40 - skipped)
    losses = train_steps(trainer, items, 3)
    assert losses[-1] < outcome.totals.mean
    assert trainer.scaler.scale == 2.0 ** (41 - skipped)  # it grew after four clean steps


@pytest.mark.parametrize(("has", "found"), [(True, torch.bfloat16), (False, None)])
def test_use_amp_is_bf16_where_the_hardware_has_it_and_says_why_not(
    *, has: bool, found: torch.dtype | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "train.distributed.precision")
    with mock.patch.object(
        torch.ops.mkldnn, "_is_mkldnn_bf16_supported", return_value=has, create=True
    ):
        assert autocast_type("auto", torch.device("cpu")) == found
        assert caplog.records == []
        log_type("auto", torch.device("cpu"))
        log_type("fp32", torch.device("cpu"))

    reasons = [] if has else ["this CPU has no bf16 instructions: computing in fp32"]
    assert [record.getMessage() for record in caplog.records] == reasons


def test_a_selftest_computes_in_fp32_where_the_hardware_has_bf16() -> None:
    with mock.patch.object(precision, "has_bf16_kernels", return_value=True):
        trainer, _ = build_trainer(FAMILIES[0], ONE, ALONE, "float64")
        assert autocast_type("auto", ALONE.device) == torch.bfloat16

    assert trainer.strategy.autocast is None


def test_without_fp16_an_overflow_ends_the_run_with_the_samples() -> None:
    from schemas.errors import PipelineError

    trainer, items = trainer_of("fp32")
    with torch.no_grad():
        next(iter(trainer.strategy.parts[0].parameters())).fill_(float("nan"))

    with pytest.raises(PipelineError, match="the gradient norm is nan; samples 0 to 15"):
        trainer.update(lambda span: iter(items[span.step]), stop_asked=False)


@pytest.mark.parametrize("how", ["selective", "full"])
@pytest.mark.parametrize("family", range(4))
def test_recomputing_activations_changes_no_bit(how: str, family: int) -> None:
    shallow = FAMILIES[family].model | {"num_layers": 2, "dropout": 0.1}
    small = type(FAMILIES[family])(
        name="small", model=shallow, objective=FAMILIES[family].objective
    )
    runs = [
        train_steps(*build_trainer(small, ONE, ALONE, "float32", changes={"recompute": kind}), 3)
        for kind in ("none", how)
    ]

    assert runs[0] == runs[1]
