"""Stopped and resumed is never stopped, bit for bit, at 4 ranks in each kind of parallel strategy."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.datasets import DatasetShape, write_dataset
from tests.support.ranks import free_ports, run_on_ranks
from tests.support.stopping import StopAfter
from train.loop.run import pretrain
from train.settings import TrainSettings

STRATEGIES: dict[str, dict[str, Any]] = {
    "ddp": {"dp_replicate": 4},
    "fsdp2": {"dp_shard": 4},
    "tp": {"tp": 4, "sequence_parallel": True},
    "pp": {"pp": 4, "pipeline_schedule": "1f1b"},
    "pp x fsdp2": {"pp": 2, "dp_shard": 2},
    "diloco": {},
}
# Ranks that meet after 3 steps are stopped after 2.
DILOCO = {"diloco": {"inner_steps": 3}}


def settings(dataset: str, output: str, parallel: dict[str, Any]) -> TrainSettings:
    loose = {} if parallel else DILOCO
    return TrainSettings.model_validate(
        {
            "manifest": dataset,
            "output": output,
            "model": {
                "preset": "gpt2-test", "num_layers": 4, "num_heads": 4, "width": 16, "dropout": 0.1,
            },
            "batch": {"sequences": 8, "microbatch": 2 if "tp" in parallel else 1},
            "stop": {"steps": 4},
            "schedule": {"peak_lr": 0.01, "warmup": 2},
            "optimizer": {"max_grad_norm": 0.05},
            "parallel": parallel,
            "checkpoint": {"every_steps": 300, "export": False},
            "evaluation": None,
            "metrics": {"peak_flops": 1e9, "tensorboard": False},
            "threads": 1, "precision": {"compute": "fp32"},
            **loose,
        }
    )  # fmt: skip


def train_all(dataset: str, root: str, ports: list[int]) -> None:
    """Each strategy: 4 steps at once; then 2, and the rest as another run."""
    for name, parallel in STRATEGIES.items():
        for output, count in (("whole", 100), ("cut", 2), ("cut", 100)):
            os.environ["MASTER_PORT"] = str(ports.pop())
            asked = settings(dataset, f"{root}/{name}-{output}", parallel)
            pretrain(asked, stop_flag=partial(StopAfter, count))


def tensors(output: Path) -> dict[str, torch.Tensor]:
    from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

    dcp_to_torch_save(output / "checkpoints" / "step-00000004" / "weights", output / "whole.pt")
    loaded = torch.load(output / "whole.pt", weights_only=False)
    return {
        f"{part}.{key}": value
        for part, content in loaded.items()
        for key, value in flattened(content).items()
        if torch.is_tensor(value)
    }


def flattened(content: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in content.items():
        inner = flattened(value) if isinstance(value, dict) else {"": value}
        flat |= {f"{key}.{name}": leaf for name, leaf in inner.items()}
    return flat


def losses(output: Path) -> list[float]:
    return [
        json.loads(line)["loss"] for line in (output / "metrics.jsonl").read_text().splitlines()
    ]


@pytest.mark.distributed
def test_resumed_runs_equal_unbroken_ones_in_every_strategy(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "data", DatasetShape(rows_per_shard=(60, 40))).parent
    run_on_ranks(train_all, 4, str(dataset), str(tmp_path), free_ports(3 * len(STRATEGIES)))

    for name in STRATEGIES:
        whole, cut = tmp_path / f"{name}-whole", tmp_path / f"{name}-cut"
        assert losses(whole) == losses(cut), name
        expected, found = tensors(whole), tensors(cut)
        assert expected.keys() == found.keys()
        assert any("exp_avg" in key for key in expected)
        differing = [key for key in expected if not torch.equal(expected[key], found[key])]
        assert not differing, (name, differing)
        kinds = [json.loads(line)["kind"] for line in (cut / "events.jsonl").open()]
        assert kinds == ["start", "manifest", "stop", "resume", "certificate"]
