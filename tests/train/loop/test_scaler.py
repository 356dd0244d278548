"""fp16: overflows are met with a smaller scale, told, and at the smallest one they end the run."""

from __future__ import annotations

import pytest

from schemas.errors import PipelineError
from train.loop.scaler import LossScaler


def test_the_scale_halves_after_an_overflow_and_doubles_after_clean_steps() -> None:
    scaler = LossScaler(scale=8.0, growth_interval=2)

    scales = []
    for is_finite in (False, True, True, True, False):
        scaler.observe(is_finite=is_finite)
        scales.append(scaler.scale)

    assert scales == [4.0, 4.0, 8.0, 8.0, 4.0]
    assert (scaler.steps, scaler.skipped) == (5, 2)


def test_no_scale_is_below_one() -> None:
    scaler = LossScaler(scale=1.5, growth_interval=9)
    assert not scaler.is_smallest

    scaler.observe(is_finite=False)

    assert (scaler.scale, scaler.is_smallest) == (1.0, True)


def test_a_run_that_skipped_most_steps_did_not_train() -> None:
    scaler = LossScaler(scale=65536.0, growth_interval=9)
    for is_finite in (True, False, False, False):
        scaler.observe(is_finite=is_finite)

    with pytest.raises(PipelineError, match="3 of 4 steps were skipped"):
        scaler.check_work()


def test_skipped_steps_are_counted_across_a_resume(caplog: pytest.LogCaptureFixture) -> None:
    scaler = LossScaler(scale=65536.0, growth_interval=9)
    for is_finite in (True, False):
        scaler.observe(is_finite=is_finite)
    resumed = LossScaler(scale=1.0, growth_interval=9)

    resumed.restore(scaler.state())
    resumed.check_work()

    assert "1 of 2 steps were skipped" in caplog.text
    resumed.restore({"scale": 2.0, "clean_steps": 0})  # of an older checkpoint
    assert (resumed.steps, resumed.skipped) == (0, 0)
