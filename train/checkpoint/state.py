"""Model and optimizer as one flat dictionary of logical names, equal in every parallel strategy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.tensor import DTensor

from train.distributed.torch_private import unwrapped_name

# Flat keys (`state.<parameter>.exp_avg`) let pipeline stages load what another split wrote.
_OPTIONS = StateDictOptions(flatten_optimizer_state_dict=True)
_STATE = "state."


def collect_tensors(parts: Sequence[nn.Module], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The tensors of a checkpoint; makes the optimizer states that no step has made yet.

    The settings of the optimizer's groups are the recipe's: a checkpoint has none of them.
    """
    states: dict[str, Any] = {}
    for part in parts:
        flat = get_optimizer_state_dict(part, optimizer, options=_OPTIONS)
        states.update({key: value for key, value in flat.items() if key.startswith(_STATE)})
    return {**collect_model(parts), "optimizer": states}


def optimizer_states(tensors: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The states in what a checkpoint holds, each with the prefix of their names there.

    There is one optimizer, or with DiLoCo one for each rank (`inner`).
    """
    inner = tensors.get("inner", {})
    return [
        *([("optimizer.", tensors["optimizer"])] if "optimizer" in tensors else []),
        *((f"inner.{number}.optimizer.", own["optimizer"]) for number, own in inner.items()),
    ]


def restore_tensors(
    parts: Sequence[nn.Module], optimizer: torch.optim.Optimizer, tensors: dict[str, Any]
) -> None:
    """Put loaded tensors back into the model's parts and the optimizer.

    A parameter of which a state is missing begins without any, as in a new run.
    """
    restore_model(parts, tensors)
    for part in parts:
        flat = get_optimizer_state_dict(part, optimizer, options=_OPTIONS)
        lacking = {key for key in flat if key.startswith(_STATE)} - tensors["optimizer"].keys()
        states = {key: value for key, value in tensors["optimizer"].items() if key in flat}
        set_optimizer_state_dict(part, optimizer, flat | states, options=_OPTIONS)
        for name, parameter in part.named_parameters():
            if any(key.startswith(f"{_STATE}{unwrapped_name(name)}.") for key in lacking):
                optimizer.state.pop(parameter, None)


def collect_model(parts: Sequence[nn.Module]) -> dict[str, Any]:
    """The weights without optimizer states, as evaluation reads them."""
    model: dict[str, Any] = {}
    for part in parts:
        model.update(get_model_state_dict(part))
    return {"model": model}


def restore_model(parts: Sequence[nn.Module], tensors: dict[str, Any]) -> None:
    """Put loaded weights into the model's parts."""
    for part in parts:
        keys = get_model_state_dict(part).keys()
        set_model_state_dict(part, {key: tensors["model"][key] for key in keys})


def whole_weights(parts: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Unsharded weights on the CPU by logical name; all ranks call it, the first one uses it.

    Ranks of a pipeline send the weights of their stages to the first rank.
    """
    model: dict[str, Any] = {}
    for part in parts:
        for name, value in get_model_state_dict(part).items():
            whole: Any = value.full_tensor() if isinstance(value, DTensor) else value
            model[name] = whole.detach().cpu()
    if dist.is_initialized() and dist.get_world_size() > 1:
        _add_missing(model)
    return model


def _add_missing(model: dict[str, Any]) -> None:
    """Send each tensor that the first rank lacks from the first rank that has it."""
    names: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(names, {n: (tuple(v.shape), v.dtype) for n, v in model.items()})
    rank = dist.get_rank()
    for owner, held in enumerate(names):
        lacking = [name for name in sorted(held) if not any(name in n for n in names[:owner])]
        for name in lacking if owner else []:
            if rank == owner:
                dist.send(model[name].contiguous(), dst=0)
            elif rank == 0:
                shape, dtype = held[name]
                model[name] = torch.empty(shape, dtype=dtype)
                dist.recv(model[name], src=owner)
