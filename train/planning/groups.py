"""The parameter groups of a plan: what decays, what gets which update, from the meta device."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from train.model.config import ModelConfig
from train.model.roles import Role, parameter_roles
from train.model.transformer import make_model
from train.objectives.config import ObjectiveConfig
from train.objectives.heads import unread_tensors
from train.optim.config import OptimizerConfig
from train.optim.groups import ParameterKind, Transfer, kind_of


@dataclass(frozen=True, kw_only=True)
class PlannedGroup:
    """Parameters of one role that the optimizer treats alike."""

    role: Role
    kind: ParameterKind
    tensors: int
    parameters: int
    example: str


def planned_groups(
    config: ModelConfig, optimizer: OptimizerConfig, objective: ObjectiveConfig | None = None
) -> list[PlannedGroup]:
    """The groups of a model, largest first, without heads that the objective does not read; None: all heads."""
    with torch.device("meta"):
        model = make_model(config)
    roles = parameter_roles(model)
    found: dict[tuple[Role, ParameterKind], list[tuple[str, int]]] = {}
    named = dict(model.named_parameters())
    unread = (
        set() if objective is None else set(unread_tensors(named, objective, family=config.family))
    )
    for name, parameter in named.items():
        if name in unread:
            continue
        kind = kind_of(name, roles[name], optimizer, Transfer.of(config))
        found.setdefault((roles[name], kind), []).append((name, parameter.numel()))
    made = [_group(role, kind, members) for (role, kind), members in found.items()]
    return sorted(made, key=lambda group: -group.parameters)


def _group(role: Role, kind: ParameterKind, members: Iterable[tuple[str, int]]) -> PlannedGroup:
    names, sizes = zip(*members, strict=True)
    return PlannedGroup(
        role=role, kind=kind, tensors=len(names), parameters=sum(sizes), example=names[0]
    )
