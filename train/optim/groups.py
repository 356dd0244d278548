"""Parameter groups with decay exclusions, and the choice of optimizer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from train.optim.adafactor import Adafactor
from train.optim.config import OptimizerConfig
from train.optim.lion import Lion
from train.optim.muon import Muon

Groups = list[dict[str, Any]]


def build_optimizer(models: Iterable[nn.Module], config: OptimizerConfig) -> torch.optim.Optimizer:
    """Build the optimizer over the trainable parameters of the model's parts, in their order."""
    named = [item for model in models for item in model.named_parameters()]
    groups = parameter_groups(named, config)
    lr = 0.0  # the loop sets it before every update
    match config.name:
        case "adamw":
            # foreach handles DTensors and plain tensors alike; fused refuses mixtures of meshes.
            return torch.optim.AdamW(
                groups,
                lr=lr,
                betas=config.betas or (0.9, 0.95),
                eps=config.eps or 1e-8,
                foreach=True,
            )
        case "adafactor":
            return Adafactor(groups, lr=lr)
        case "sgd":
            return torch.optim.SGD(groups, lr=lr, momentum=config.momentum, foreach=True)
        case "lion":
            return Lion(groups, lr=lr, betas=config.betas or (0.9, 0.99))
        case "muon":
            return Muon(groups, lr=lr, momentum=config.momentum, betas=config.betas or (0.9, 0.95))


def parameter_groups(named: Iterable[tuple[str, nn.Parameter]], config: OptimizerConfig) -> Groups:
    """Group what decays apart from what does not: vectors, and names that the recipe excludes."""
    members: dict[tuple[bool, object], list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in named:
        if not parameter.requires_grad:
            continue
        excluded = parameter.ndim < 2 or any(part in name for part in config.decay_exclude)
        # foreach kernels refuse plain tensors beside DTensors, and DTensors of two meshes.
        mesh = parameter.device_mesh if isinstance(parameter, DTensor) else None
        members.setdefault((excluded, mesh), []).append((name, parameter))
    return [
        {"params": chosen, "weight_decay": 0.0 if excluded else config.weight_decay}
        for (excluded, _), chosen in members.items()
    ]
