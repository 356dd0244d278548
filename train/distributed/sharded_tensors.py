"""Whole tensors of sharded ones, for optimizers that look at more than one element at a time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor


def whole(tensor: Tensor) -> Tensor:
    """The tensor with what all ranks hold of it; every rank gets the same."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local_part(tensor: Tensor) -> Tensor:
    """What this rank holds, as a view."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def shard_of(tensor: Tensor, like: Tensor) -> Tensor:
    """This rank's part of a whole tensor that all ranks have; nothing is sent."""
    if not isinstance(like, DTensor):
        return tensor
    placed = distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)
    return placed.to_local()


def rms(tensor: Tensor) -> Tensor:
    """Root of the mean square over all elements, sharded or not."""
    if isinstance(tensor, DTensor):
        total = whole(tensor.square().sum())
        return torch.sqrt(total / tensor.numel())
    return tensor.square().mean().sqrt()
