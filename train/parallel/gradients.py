"""Over which ranks the gradient of each parameter is summed, and where it counts in the norm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.distributed.tensor import DTensor

from train.distributed.replicas import sum_gradients
from train.optim.clipping import gradient_norm

_WRAPPER = "_checkpoint_wrapped_module."


@dataclass(frozen=True, kw_only=True)
class GradientSums:
    """The sums of one layout, each in a flat buffer in the order of the parameters.

    Attributes:
        shared: Parameters that several pipeline stages hold, and the ranks that hold them.
        repeated: Of these, the ones that another stage counts in the norm.
        partial_names: Parameters of which each tensor rank has a part of the gradient.
        tensor: The tensor ranks.
        data: Ranks that hold the same parameters and read other rows; None where FSDP sums.
        sharded: Parameters that FSDP sums though there are others that it does not.
        pipeline: The ranks that hold the other stages.
    """

    shared: Mapping[str, ProcessGroup] = field(default_factory=dict)
    repeated: frozenset[str] = frozenset()
    partial_names: frozenset[str] = frozenset()
    tensor: ProcessGroup | None = None
    data: ProcessGroup | None = None
    sharded: frozenset[str] = frozenset()
    pipeline: ProcessGroup | None = None
    _counted: list[bool] = field(default_factory=list)

    def reduce(self, parts: Sequence[nn.Module]) -> list[Tensor]:
        """Sum the gradients and return them, one per trained parameter."""
        gradients = filled_gradients(parts)
        names = list(gradients)
        if self.tensor is not None:
            chosen = [local_part(gradients[name]) for name in names if name in self.partial_names]
            sum_gradients(chosen, self.tensor)
        for name, group in sorted(self.shared.items()):
            if name in gradients:
                sum_gradients([local_part(gradients[name])], group)
        if self.data is not None and dist.get_world_size(self.data) > 1:
            chosen = [local_part(gradients[name]) for name in names if name not in self.sharded]
            sum_gradients(chosen, self.data)
        self._counted[:] = [name not in self.repeated for name in names]
        return list(gradients.values())

    def norm(self, gradients: Sequence[Tensor]) -> Tensor:
        """The norm over all ranks; what several stages hold counts once."""
        if self.pipeline is None:
            return gradient_norm(gradients)
        counted = [g for g, counts in zip(gradients, self._counted, strict=True) if counts]
        square = gradient_norm(counted).square().reshape(1)
        dist.all_reduce(square, group=self.pipeline)
        return square.sqrt().squeeze(0)


def filled_gradients(parts: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Gradients by logical name in the order of the parameters, zero where there were no rows."""
    gradients: dict[str, Tensor] = {}
    for part in parts:
        for name, parameter in part.named_parameters():
            if not parameter.requires_grad:
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients[logical_name(name)] = parameter.grad
    return gradients


def logical_name(name: str) -> str:
    """The name of a parameter without what recomputing blocks adds to it."""
    return name.replace(_WRAPPER, "")


def local_part(tensor: Tensor) -> Tensor:
    """What this rank holds of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
