"""Gradient norms and clipping of our own, over plain tensors and DTensors of several meshes.

`torch.nn.utils.clip_grad_norm_` raises where some parameters live on (dp) and others on (dp, tp):
pytorch#180346. Here the squares are summed mesh by mesh and the scalars are combined.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor

from train.distributed.sharded_tensors import local_part
from train.distributed.torch_private import norms, scale_in_place


def gradient_norm(gradients: Iterable[Tensor]) -> Tensor:
    """The 2-norm over all gradients, as a plain fp32 (or wider) scalar equal on every rank."""
    groups: dict[object, list[Tensor]] = {}
    for gradient in gradients:
        placed = None
        if isinstance(gradient, DTensor):
            placed = (gradient.device_mesh, gradient.placements)
        groups.setdefault(placed, []).append(gradient)
    squares = [_square_of(members) for members in groups.values()]
    return torch.stack(squares).sum().sqrt() if squares else torch.zeros(())


def _square_of(gradients: Sequence[Tensor]) -> Tensor:
    """The sum of squares of gradients on one mesh, summed over the axes that split them."""
    parts = [local_part(gradient) for gradient in gradients]
    sizes = torch.stack(norms(parts))
    square = sizes.to(torch.promote_types(sizes.dtype, torch.float32)).square().sum()
    first = gradients[0]
    if isinstance(first, DTensor):
        for axis, placement in enumerate(first.placements):
            if not placement.is_replicate():
                dist.all_reduce(square, group=first.device_mesh.get_group(axis))
    return square


def clip_gradients(gradients: Sequence[Tensor], norm: Tensor, max_grad_norm: float) -> None:
    """Scale gradients whose norm is above `max_grad_norm` down to it; a smaller norm changes no bit."""
    if float(norm) > max_grad_norm:
        scale_gradients(gradients, max_grad_norm / float(norm))


def scale_gradients(gradients: Sequence[Tensor], factor: float) -> None:
    """Multiply in place, by local part: foreach kernels refuse plain tensors beside DTensors."""
    parts = [local_part(gradient) for gradient in gradients]
    scale_in_place(parts, factor)
