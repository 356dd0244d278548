"""Parameter groups with decay exclusions, and the choice of optimizer."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from train.optim.adafactor import Adafactor
from train.optim.adamw import LocalAdamW
from train.optim.config import OptimizerConfig
from train.optim.lion import Lion
from train.optim.muon import Muon

Groups = list[dict[str, Any]]


def build_optimizer(models: Iterable[nn.Module], config: OptimizerConfig) -> torch.optim.Optimizer:
    """Build the optimizer over the trainable parameters of the model's parts, in their order.

    Penalties are added to the gradients before each step, after clipping, as torch adds its own
    coupled `weight_decay`.
    """
    parts = list(models)
    named = [item for model in parts for item in model.named_parameters()]
    optimizer = _choose(parameter_groups(named, config, width_ratio=_width_ratio(parts)), config)
    if config.l1 is not None or config.l2 is not None:
        optimizer.register_step_pre_hook(partial(_add_penalties, config=config))
    return optimizer


def _width_ratio(parts: list[nn.Module]) -> float:
    """muP's ratio of the width to the base width; one for all parts of a model."""
    shapes = [getattr(part, "config", None) for part in parts]
    return next((shape.width_ratio for shape in shapes if shape is not None), 1.0)


@torch.no_grad()
def _add_penalties(optimizer: torch.optim.Optimizer, *_: object, config: OptimizerConfig) -> None:
    for group in optimizer.param_groups:
        if not group["decays"]:
            continue
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            if config.l1 is not None:
                parameter.grad.add_(parameter.sign(), alpha=config.l1)
            if config.l2 is not None:
                parameter.grad.add_(parameter, alpha=config.l2)


def _choose(groups: Groups, config: OptimizerConfig) -> torch.optim.Optimizer:
    lr = 0.0  # the loop sets it before every update
    match config.name:
        case "adamw":
            return LocalAdamW(
                groups,
                lr=lr,
                betas=config.betas or (0.9, 0.95),
                eps=config.eps or 1e-8,
                fused=True,
            )
        case "adafactor":
            return Adafactor(groups, lr=lr)
        case "sgd":
            return torch.optim.SGD(groups, lr=lr, momentum=config.momentum, foreach=True)
        case "lion":
            return Lion(groups, lr=lr, betas=config.betas or (0.9, 0.99))
        case "muon":
            return Muon(groups, lr=lr, momentum=config.momentum, betas=config.betas or (0.9, 0.95))


# Between these and hidden units the learning rate of Adam does not change with the width.
_OUTER = ("embedding", "position", "token_type", "head.weight")


def parameter_groups(
    named: Iterable[tuple[str, nn.Parameter]], config: OptimizerConfig, *, width_ratio: float = 1.0
) -> Groups:
    """Group parameters that decay apart from those that do not: vectors, and excluded names.

    With muP, matrices between hidden units are a group whose `lr_scale` is one over the width
    ratio; the loop multiplies the learning rate by it (Yang et al. 2022, table 8, Adam).
    """
    members: dict[tuple[bool, float, object], list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in named:
        if not parameter.requires_grad:
            continue
        excluded = parameter.ndim < 2 or any(part in name for part in config.decay_exclude)
        is_hidden = parameter.ndim > 1 and not any(part in name for part in _OUTER)
        scale = 1.0 / width_ratio if is_hidden else 1.0
        # foreach kernels refuse plain tensors beside DTensors, and DTensors of two meshes.
        mesh = parameter.device_mesh if isinstance(parameter, DTensor) else None
        members.setdefault((excluded, scale, mesh), []).append((name, parameter))
    return [
        {
            "params": chosen,
            "weight_decay": 0.0 if excluded else config.weight_decay,
            "decays": not excluded,
            "lr_scale": scale,
        }
        for (excluded, scale, _), chosen in members.items()
    ]
