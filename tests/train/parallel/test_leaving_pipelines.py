"""A pipeline that is asked to stop computes no more micro-batches, and does the step again when it is resumed."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from schemas.manifest import SpecialIds
from tests.support.datasets import DatasetShape, write_dataset
from tests.support.ranks import free_ports, run_on_ranks
from tests.support.stopping import LeaveAt, StopAfter
from tests.train.parallel.test_resume_strategies import losses, tensors
from train.loop.run import pretrain
from train.parallel import pipeline_stages
from train.settings import TrainSettings

STRATEGIES: dict[str, dict[str, Any]] = {
    "fsdp2": {"pp": 2, "dp_shard": 2, "pipeline_schedule": "1f1b"},
    "tp": {"pp": 2, "tp": 2, "pipeline_schedule": "interleaved", "stages_per_rank": 2},
    "zero_bubble": {"pp": 2, "dp_replicate": 2, "pipeline_schedule": "zero_bubble"},
    "t5": {"pp": 4, "pipeline_schedule": "1f1b"},
}
MICROBATCHES = 8  # of a rank's pipeline, in a step


def settings(dataset: str, output: str, name: str) -> TrainSettings:
    parallel = STRATEGIES[name]
    data_ranks = parallel.get("dp_replicate", 1) * parallel.get("dp_shard", 1)
    objective = {"name": "span_corruption"} if name == "t5" else {"name": "causal"}
    return TrainSettings.model_validate(
        {
            "manifest": dataset, "output": output, "objective": objective,
            "model": {"preset": "t5-test" if name == "t5" else "gpt2-test", "num_layers": 4, "num_heads": 4,
                      "width": 16, "dropout": 0.1},
            "batch": {"sequences": MICROBATCHES * data_ranks, "microbatch": 1},
            "stop": {"steps": 4}, "schedule": {"peak_lr": 0.01}, "parallel": parallel,
            "checkpoint": {"every_steps": 300, "export": False}, "evaluation": None,
            "metrics": {"peak_flops": 1e9, "tensorboard": False}, "threads": 1, "precision": {"compute": "fp32"},
        }
    )  # fmt: skip


class LeaveOnOneRank(LeaveAt):
    """Only the last rank hears the signal: all leave nevertheless."""

    def __init__(self, count: int) -> None:
        super().__init__(count if os.environ["RANK"] == "3" else 10**9)


def train_all(dataset: str, root: str, ports: list[int]) -> None:
    """Each strategy at once; then left in the third forward pass of the second step, and resumed."""
    computed = 0
    through = pipeline_stages.PipelineStage.__call__

    def counting(self: Any, *given: Any, **named: Any) -> Any:
        nonlocal computed
        computed += 1
        return through(self, *given, **named)

    pipeline_stages.PipelineStage.__call__ = counting  # type: ignore[method-assign]
    for name, parallel in STRATEGIES.items():
        # Asked once for each micro-batch that is read, then once before each of its forward passes.
        passes = parallel.get("stages_per_rank", 2 if name == "zero_bubble" else 1)
        border = MICROBATCHES * (1 + passes) + MICROBATCHES + 3
        for output, flag in (
            ("whole", partial(StopAfter, 100)),
            ("cut", partial(LeaveOnOneRank, border)),
            ("cut", partial(StopAfter, 100)),
        ):
            os.environ["MASTER_PORT"] = str(ports.pop())
            computed = 0
            pretrain(settings(dataset, f"{root}/{name}-{output}", name), stop_flag=flag)
            if flag.func is LeaveOnOneRank and os.environ["RANK"] == "3":
                assert computed == MICROBATCHES * passes + 2, (name, computed)


@pytest.mark.slow
@pytest.mark.distributed
def test_a_pipeline_is_left_between_two_micro_batches_and_does_the_step_again(
    tmp_path: Path,
) -> None:
    special = {"sentinels": tuple(range(90, 97)), "pad": 0, "eos": 1}
    shape = DatasetShape(rows_per_shard=(60, 40), special=SpecialIds(**special))
    dataset = write_dataset(tmp_path / "data", shape).parent
    run_on_ranks(train_all, 4, str(dataset), str(tmp_path), free_ports(3 * len(STRATEGIES)))

    for name in STRATEGIES:
        whole, cut = tmp_path / f"{name}-whole", tmp_path / f"{name}-cut"
        assert losses(whole) == losses(cut), name
        expected, found = tensors(whole), tensors(cut)
        assert [key for key in expected if not torch.equal(expected[key], found[key])] == [], name
