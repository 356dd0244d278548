"""Over which ranks the gradient of each parameter is summed, and where it counts in the norm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import ProcessGroup

from train.distributed.replicas import sum_gradients
from train.distributed.sharded_tensors import local_part
from train.distributed.torch_private import unwrapped_name
from train.optim.clipping import gradient_norm, scale_gradients


@dataclass(frozen=True, kw_only=True)
class ReducedGradients:
    """The gradients of one step, summed over the ranks.

    Attributes:
        tensors: One per trained parameter, in the order of the parameters. They are the parameters'
            own `.grad`: what changes them in place changes the next update.
        counted: Those of them that this rank counts in the norm; of a parameter that several
            pipeline stages hold, one stage counts the gradient.
        pipeline: The ranks that hold the other pipeline stages; None where this rank holds all.
    """

    tensors: list[Tensor]
    counted: list[Tensor]
    pipeline: ProcessGroup | None = None

    def scale(self, factor: float) -> None:
        """Multiply all gradients in place."""
        scale_gradients(self.tensors, factor)

    def norm(self) -> Tensor:
        """The 2-norm of the whole gradient, a scalar that is equal on every rank."""
        own = gradient_norm(self.counted)
        if self.pipeline is None:
            return own
        square = own.square().reshape(1)
        dist.all_reduce(square, group=self.pipeline)
        return square.sqrt().squeeze(0)


@dataclass(frozen=True, kw_only=True)
class GradientSums:
    """Which gradients are summed over which ranks, each in a flat buffer in parameter order.

    Attributes:
        shared: Parameters that several pipeline stages hold, and the ranks that hold them.
        repeated: The shared parameters whose gradient another pipeline stage counts in the norm.
        partial_names: Parameters of which each tensor rank has a part of the gradient.
        tensor: The ranks that split every matrix; None without tensor parallelism.
        data: Ranks that hold the same parameters and read other rows; None where FSDP sums.
        sharded: Parameters that FSDP sums, where it sums some and not others.
        pipeline: The ranks that hold the other pipeline stages; None where this rank holds all.
    """

    shared: Mapping[str, ProcessGroup] = field(default_factory=dict)
    repeated: frozenset[str] = frozenset()
    partial_names: frozenset[str] = frozenset()
    tensor: ProcessGroup | None = None
    data: ProcessGroup | None = None
    sharded: frozenset[str] = frozenset()
    pipeline: ProcessGroup | None = None

    def reduce(self, parts: Sequence[nn.Module]) -> ReducedGradients:
        """Sum the gradients of the model's parts in place."""
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
        return ReducedGradients(
            tensors=list(gradients.values()),
            counted=[gradients[name] for name in names if name not in self.repeated],
            pipeline=self.pipeline,
        )


def filled_gradients(parts: Sequence[nn.Module]) -> dict[str, Tensor]:
    """Gradients by logical name, in the order of the parameters; zeros where no row gave one."""
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
    """The name of a parameter as checkpoints have it: without the wrapper of recomputed blocks."""
    return unwrapped_name(name)
