"""Collectives with a gradient, in conjugate pairs (Shoeybi et al. 2019; Korthikanti et al. 2022).

Shapes: B rows, T tokens, D width. gloo corrupts tensors that are not contiguous: all that is sent
is made contiguous first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import ProcessGroup

TOKENS = 1


Op = Callable[[Tensor], Tensor]


def copy_in(x: Tensor, group: ProcessGroup) -> Tensor:
    """The same tensor; its gradient is summed over the group."""
    return _both_ways(x, lambda whole: whole.view_as(whole), partial(_all_reduce, group=group))


def sum_out(x: Tensor, group: ProcessGroup) -> Tensor:
    """Sum over the group; the gradient passes as it is."""
    return _both_ways(x, partial(_all_reduce, group=group), lambda grad: grad)


def split_tokens(x_BTD: Tensor, group: ProcessGroup) -> Tensor:
    """This rank's share of equal tensors, padded to equal lengths; the gradient is gathered."""
    gather = partial(_gather, group=group, tokens=x_BTD.shape[TOKENS])
    return _both_ways(x_BTD, partial(_share, group=group), gather)


def join_tokens(x_BTD: Tensor, group: ProcessGroup, tokens: int) -> Tensor:
    """All shares, without the padding; what follows is equal on all ranks, so is its gradient."""
    gather = partial(_gather, group=group, tokens=tokens)
    return _both_ways(x_BTD, gather, partial(_share, group=group))


def gather_tokens(x_BTD: Tensor, group: ProcessGroup, tokens: int) -> Tensor:
    """All shares, without the padding; gradients of the ranks differ and are summed."""
    gather = partial(_gather, group=group, tokens=tokens)
    return _both_ways(x_BTD, gather, partial(_reduce_scatter, group=group))


def scatter_tokens(x_BTD: Tensor, group: ProcessGroup) -> Tensor:
    """This rank's share of the sum over the group; the gradient is gathered."""
    gather = partial(_gather, group=group, tokens=x_BTD.shape[TOKENS])
    return _both_ways(x_BTD, partial(_reduce_scatter, group=group), gather)


class _BothWays(torch.autograd.Function):
    """One collective forward, another one backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, there: Op, back: Op) -> Tensor:
        ctx.back = back
        return there(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return ctx.back(grad), None, None


def _both_ways(x: Tensor, there: Op, back: Op) -> Tensor:
    return _BothWays.apply(x, there, back)  # type: ignore[no-any-return,no-untyped-call]


def _all_reduce(x: Tensor, group: ProcessGroup) -> Tensor:
    summed = x.contiguous().clone()
    dist.all_reduce(summed, group=group)
    return summed


def _share(x: Tensor, group: ProcessGroup) -> Tensor:
    padded = _padded(x, group)
    size = padded.shape[TOKENS] // dist.get_world_size(group)
    return padded.narrow(TOKENS, dist.get_rank(group) * size, size).contiguous()


def _padded(x: Tensor, group: ProcessGroup) -> Tensor:
    short = -x.shape[TOKENS] % dist.get_world_size(group)
    if not short:
        return x
    shape = list(x.shape)
    shape[TOKENS] = short
    return torch.cat((x, x.new_zeros(shape)), dim=TOKENS)


def _gather(x: Tensor, group: ProcessGroup, tokens: int) -> Tensor:
    parts = [torch.empty_like(x) for _ in range(dist.get_world_size(group))]
    dist.all_gather(parts, x.contiguous(), group=group)
    return torch.cat(parts, dim=TOKENS).narrow(TOKENS, 0, tokens).contiguous()


def _reduce_scatter(x: Tensor, group: ProcessGroup) -> Tensor:
    padded = _padded(x, group)
    shares = padded.chunk(dist.get_world_size(group), dim=TOKENS)
    share = torch.empty(shares[0].shape, dtype=x.dtype, device=x.device)
    dist.reduce_scatter_single(share, torch.cat(shares), group=group)
    return share
