"""Parallel strategies that cannot work are refused before any rank waits, with the numbers."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import SettingsError
from train.model.presets import resolve_model
from train.refusals import RunFacts, refuse
from train.settings import TrainSettings


def check(world: int, parallel: dict[str, Any], preset: str = "gpt2-test", **changes: Any) -> None:
    settings = TrainSettings.model_validate(
        {
            "manifest": "none",
            "output": "none",
            "stop": {"steps": 1},
            "batch": {"sequences": 16, "microbatch": 2},
            "model": {"preset": preset, "width": 32, "num_heads": 2, "num_layers": 4},
            "parallel": parallel,
        }
        | changes
    )
    config = resolve_model(settings.model, vocab_size=50, seq_len=16)
    refuse(settings, RunFacts(model=config, world_size=world))


@pytest.mark.parametrize(
    ("world", "parallel", "message"),
    [
        (6, {"tp": 4}, "= 4 ranks, but the world has 6"),
        (16, {"pp": 16}, "16 stages, but the model has 4 layers"),
        (3, {"dp_shard": 3}, "16 sequences do not split over 3 data ranks"),
        (6, {"pp": 2, "dp_replicate": 3}, "16 sequences are no multiple of 3 data ranks x "),
        (16, {"pp": 4, "dp_replicate": 4}, "needs at least 4 micro-batches .* got 2"),
    ],
)
def test_numbers_that_do_not_fit_are_named(
    world: int, parallel: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        check(world, parallel)


def test_zero_bubble_is_refused_for_an_encoder_with_a_decoder() -> None:
    parallel = {"pp": 2, "pipeline_schedule": "zero_bubble"}

    check(2, parallel)
    with pytest.raises(SettingsError, match="for t5 use gpipe, 1f1b or interleaved"):
        check(2, parallel, preset="t5-small")


def test_zero_bubble_is_refused_for_sharded_stages() -> None:
    parallel = {"pp": 2, "dp_shard": 2}

    check(4, {**parallel, "pipeline_schedule": "1f1b"})
    with pytest.raises(SettingsError, match="pp 2 with dp_shard 2 use gpipe, 1f1b or interleaved"):
        check(4, {**parallel, "pipeline_schedule": "zero_bubble"})
