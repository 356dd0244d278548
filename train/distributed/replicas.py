"""Data parallel by one flat all-reduce of our own.

DDP rebuilds its buckets after the first backward pass, so a resumed run sums its first step in
another order than an unbroken one: invisible at 2 ranks, visible in the last bits at 4. One flat
buffer in the order of the parameters has one order for ever.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import ProcessGroup

# Elements per collective: gloo copies the buffer, so its size is a memory bound (256 MB of fp32).
_CHUNK = 64 * 1024 * 1024


def sum_gradients(gradients: Sequence[Tensor], group: ProcessGroup | None = None) -> None:
    """Sum gradients over a group in place; chunks follow from order and sizes alone."""
    start = 0
    while start < len(gradients):
        end, size = start, 0
        while end < len(gradients) and (end == start or size + gradients[end].numel() <= _CHUNK):
            size += gradients[end].numel()
            end += 1
        _sum_chunk(gradients[start:end], group)
        start = end


def _sum_chunk(gradients: Sequence[Tensor], group: ProcessGroup | None) -> None:
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    dist.all_reduce(flat, group=group)
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
