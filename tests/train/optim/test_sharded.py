"""Optimizers that look at whole matrices take the same steps when these are sharded."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from tests.support.ranks import run_on_ranks
from train.distributed.world import open_world
from train.optim.config import OptimizerConfig
from train.optim.groups import build_optimizer

NAMES = ("adafactor", "muon", "lion", "sgd", "adamw")


def take_steps(name: str, mesh: Any) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(130, 129), nn.Linear(129, 7))
    values = {key: torch.randn(value.shape) for key, value in model.named_parameters()}
    if mesh is not None:
        for module in model:
            for key, value in list(module.named_parameters()):
                placed = distribute_tensor(value.detach(), mesh, [Shard(0)], src_data_rank=None)
                setattr(module, key, nn.Parameter(placed))
    optimizer = build_optimizer([model], OptimizerConfig(name=name))  # type: ignore[arg-type]
    for _ in range(3):
        for group in optimizer.param_groups:
            group["lr"] = 0.05
        for key, value in model.named_parameters():
            gradient = values[key]
            if mesh is not None:
                gradient = distribute_tensor(gradient, mesh, [Shard(0)], src_data_rank=None)
            value.grad = gradient.clone()
        optimizer.step()
    return {
        key: value.full_tensor() if isinstance(value, DTensor) else value.detach()
        for key, value in model.named_parameters()
    }


def compare() -> None:
    with open_world(timeout_seconds=60):
        mesh = init_device_mesh("cpu", (2,))
        for name in NAMES:
            whole, sharded = take_steps(name, None), take_steps(name, mesh)
            for key, value in whole.items():
                torch.testing.assert_close(sharded[key], value, rtol=1e-5, atol=1e-6, msg=name)


def torch_s_on_shards() -> None:
    with open_world(timeout_seconds=60):
        mesh = init_device_mesh("cpu", (2,))
        start, gradient = torch.randn(2, 130, 129, generator=torch.Generator().manual_seed(1))

        def step(make: Any, *, sharded: bool) -> torch.Tensor:
            placed = [
                distribute_tensor(value, mesh, [Shard(0)], src_data_rank=None) if sharded else value
                for value in (start.clone(), gradient.clone())
            ]
            parameter = nn.Parameter(placed[0])
            parameter.grad = placed[1]
            make([parameter]).step()
            held = parameter.detach()
            return held.full_tensor() if isinstance(held, DTensor) else held

        def muon(parameters: Any) -> torch.optim.Optimizer:
            return torch.optim.Muon(parameters, lr=0.05, adjust_lr_fn="match_rms_adamw")

        whole, parts = step(muon, sharded=False), step(muon, sharded=True)
        assert float((whole - parts).abs().max()) > 1e-4
        with pytest.raises(RuntimeError, match="in-place operations"):
            step(torch.optim.Adafactor, sharded=True)


@pytest.mark.distributed
def test_why_torch_s_are_not_for_sharded_weights() -> None:
    """When this fails ours may go: docs/decisions/0018."""
    run_on_ranks(torch_s_on_shards, 2)


@pytest.mark.distributed
def test_sharded_steps_equal_whole_ones() -> None:
    run_on_ranks(compare, 2)
