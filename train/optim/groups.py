"""Parameter groups with decay exclusions, and the choice of optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from schemas.errors import SettingsError
from schemas.own_code import load_own
from train.model.config import ModelConfig
from train.model.roles import Role, parameter_roles, role_of
from train.optim.adafactor import Adafactor
from train.optim.adamw import LocalAdamW
from train.optim.config import OptimizerConfig
from train.optim.lion import Lion
from train.optim.muon import Muon

Groups = list[dict[str, Any]]
ADAMW_EPS = 1e-8


def build_optimizer(models: Iterable[nn.Module], config: OptimizerConfig) -> torch.optim.Optimizer:
    """Build the optimizer over the trainable parameters of the model's parts, in their order.

    Penalties are added to the gradients before each step, after clipping, as torch adds its own
    coupled `weight_decay`.
    """
    parts = list(models)
    named = [item for model in parts for item in model.named_parameters()]
    roles = {name: role for model in parts for name, role in parameter_roles(model).items()}
    groups = parameter_groups(named, config, roles=roles, transfer=_transfer(parts))
    optimizer = _choose(groups, config)
    if config.l1 is not None or config.l2 is not None:
        optimizer.register_step_pre_hook(partial(_add_penalties, config=config))
    return optimizer


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """How much larger a model is than the one whose settings it takes over.

    Attributes:
        width: muP's ratio of the width to the base width.
        depth: CompleteP's ratio of the layers to the base layers; None: muP alone, which scales neither decay nor
            epsilon.
    """

    width: float = 1.0
    depth: float | None = None

    @classmethod
    def of(cls, shape: ModelConfig) -> Transfer:
        """That of one of our models."""
        depth = None if shape.mup_base_depth is None else shape.depth_ratio
        return cls(width=shape.width_ratio, depth=depth)


def _transfer(parts: list[nn.Module]) -> Transfer:
    """One for all parts of a model; nothing for models that are none of ours."""
    shapes = [getattr(part, "config", None) for part in parts]
    return next((Transfer.of(one) for one in shapes if isinstance(one, ModelConfig)), Transfer())


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
    if config.plugin is not None:
        return _own(config.plugin, groups, config)
    match config.name:
        case "adamw":
            return LocalAdamW(
                groups,
                lr=lr,
                betas=config.betas or (0.9, 0.95),
                eps=config.eps or ADAMW_EPS,
                fused=True,
            )
        case "adafactor":
            return Adafactor(groups, lr=lr)
        case "sgd":
            return torch.optim.SGD(groups, lr=lr, momentum=config.momentum_or_default, foreach=True)
        case "lion":
            return Lion(groups, lr=lr, betas=config.betas or (0.9, 0.99))
        case "muon":
            return Muon(
                groups,
                lr=lr,
                momentum=config.momentum_or_default,
                betas=config.betas or (0.9, 0.95),
            )


def _own(path: str, groups: Groups, config: OptimizerConfig) -> torch.optim.Optimizer:
    """The recipe's own optimizer, if it keeps what the loop reads of each group."""
    made = load_own(path, where="optimizer.plugin")(groups, lr=0.0, **config.options)
    is_whole = isinstance(made, torch.optim.Optimizer) and all(
        {"lr_scale", "decays"} <= group.keys() for group in made.param_groups
    )
    if not is_whole:
        raise SettingsError(
            f"optimizer.plugin: {path} gave {type(made).__name__}; expected a torch.optim.Optimizer "
            "over the groups that it was given, with their keys lr_scale and decays"
        )
    optimizer: torch.optim.Optimizer = made
    return optimizer


@dataclass(frozen=True, kw_only=True)
class ParameterKind:
    """What parameters of one group have in common.

    Attributes:
        decays: Whether weight decay and penalties are for them.
        lr_scale: Factor of the learning rate: with muP, one over the width ratio for matrices between
            hidden units (Yang et al. 2022, table 8, Adam), and over its root where Muon moves them.
        decay_scale: Factor of the weight decay: CompleteP keeps rate times decay of hidden matrices.
        eps_scale: Factor of Adam's epsilon: with CompleteP it shrinks as the gradients do (Dey et al. 2025,
            table 1, with the correction of arXiv 2512.22382).
        is_orthogonal: Whether Muon makes their updates; AdamW makes those of the others.
    """

    decays: bool
    lr_scale: float
    decay_scale: float = 1.0
    eps_scale: float = 1.0
    is_orthogonal: bool = False


def kind_of(name: str, role: Role, config: OptimizerConfig, transfer: Transfer) -> ParameterKind:
    """How an optimizer treats a parameter."""
    is_hidden = role is Role.HIDDEN
    is_completep = transfer.depth is not None
    within = 1.0 if role in (Role.TABLE, Role.HEAD) else transfer.depth or 1.0
    is_orthogonal = is_hidden and config.name == "muon"
    # Muon's update has the norm 0.2 sqrt(width): the rate over the root of the ratio gives all widths the
    # spectral norm of the base (Yang et al. 2023, "A spectral condition for feature learning", condition 1).
    slower = transfer.width**0.5 if is_orthogonal else transfer.width
    return ParameterKind(
        decays=role.decays and not any(part in name for part in config.decay_exclude),
        lr_scale=1.0 / slower if is_hidden else 1.0,
        decay_scale=slower if is_completep and is_hidden else 1.0,
        eps_scale=1.0 / (transfer.width * within) if is_completep else 1.0,
        is_orthogonal=is_orthogonal,
    )


def parameter_groups(
    named: Iterable[tuple[str, nn.Parameter]],
    config: OptimizerConfig,
    *,
    roles: Mapping[str, Role] | None = None,
    transfer: Transfer | None = None,
) -> Groups:
    """Group parameters by how the optimizer treats them, which their roles decide.

    Args:
        named: The parameters; those without a gradient are left out.
        config: The optimizer.
        roles: Their roles; None: those that the names of our models tell.
        transfer: How much larger the model is than the one whose rates it takes over; None: not at all.
    """
    members: dict[tuple[ParameterKind, object], list[tuple[str, nn.Parameter]]] = {}
    for name, parameter in named:
        if not parameter.requires_grad:
            continue
        role = role_of(name, parameter) if roles is None else roles[name]
        # foreach kernels refuse plain tensors beside DTensors, and DTensors of two meshes.
        mesh = parameter.device_mesh if isinstance(parameter, DTensor) else None
        kind = kind_of(name, role, config, transfer or Transfer())
        members.setdefault((kind, mesh), []).append((name, parameter))
    return [
        {
            "params": chosen,
            "weight_decay": config.weight_decay * kind.decay_scale if kind.decays else 0.0,
            "decays": kind.decays,
            "lr_scale": kind.lr_scale,
            **(
                {"eps": (config.eps or ADAMW_EPS) * kind.eps_scale}
                if config.name == "adamw" and config.plugin is None and kind.eps_scale != 1
                else {}
            ),
            **({"is_orthogonal": kind.is_orthogonal} if config.name == "muon" else {}),
        }
        for (kind, _), chosen in members.items()
    ]
