"""Collectives with a gradient, in conjugate pairs (Shoeybi et al. 2019; Korthikanti et al. 2022).

Shapes: B rows, T tokens, D width. gloo corrupts tensors that are not contiguous: all that is sent
is made contiguous first.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import ProcessGroup

TOKENS = 1


def copy_in(x: Tensor, group: ProcessGroup) -> Tensor:
    """The same tensor; its gradient is summed over the group."""
    return _CopyIn.apply(x, group)  # type: ignore[no-any-return,no-untyped-call]


def sum_out(x: Tensor, group: ProcessGroup) -> Tensor:
    """Sum over the group; the gradient passes as it is."""
    return _SumOut.apply(x, group)  # type: ignore[no-any-return,no-untyped-call]


def split_tokens(x_BTD: Tensor, group: ProcessGroup) -> Tensor:
    """This rank's share of equal tensors, padded to equal lengths; the gradient is gathered."""
    return _SplitTokens.apply(x_BTD, group)  # type: ignore[no-any-return,no-untyped-call]


def join_tokens(x_BTD: Tensor, group: ProcessGroup, tokens: int) -> Tensor:
    """All shares, without the padding; what follows is equal on all ranks, so is its gradient."""
    return _JoinTokens.apply(x_BTD, group, tokens)  # type: ignore[no-any-return,no-untyped-call]


def gather_tokens(x_BTD: Tensor, group: ProcessGroup, tokens: int) -> Tensor:
    """All shares, without the padding; gradients of the ranks differ and are summed."""
    return _GatherTokens.apply(x_BTD, group, tokens)  # type: ignore[no-any-return,no-untyped-call]


def scatter_tokens(x_BTD: Tensor, group: ProcessGroup) -> Tensor:
    """This rank's share of the sum over the group; the gradient is gathered."""
    return _ScatterTokens.apply(x_BTD, group)  # type: ignore[no-any-return,no-untyped-call]


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
    return torch.cat(parts, dim=TOKENS).narrow(TOKENS, 0, tokens)


def _reduce_scatter(x: Tensor, group: ProcessGroup) -> Tensor:
    padded = _padded(x, group)
    shares = padded.chunk(dist.get_world_size(group), dim=TOKENS)
    share = torch.empty(shares[0].shape, dtype=x.dtype, device=x.device)
    dist.reduce_scatter_single(share, torch.cat(shares), group=group)
    return share


class _CopyIn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _all_reduce(grad, ctx.group), None


class _SumOut(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        return _all_reduce(x, group)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


class _SplitTokens(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group, ctx.tokens = group, x.shape[TOKENS]
        return _share(x, group)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _gather(grad, ctx.group, ctx.tokens), None


class _JoinTokens(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup, tokens: int) -> Tensor:
        ctx.group = group
        return _gather(x, group, tokens).contiguous()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _share(grad, ctx.group), None, None


class _GatherTokens(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup, tokens: int) -> Tensor:
        ctx.group = group
        return _gather(x, group, tokens).contiguous()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _reduce_scatter(grad, ctx.group), None, None


class _ScatterTokens(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group, ctx.tokens = group, x.shape[TOKENS]
        return _reduce_scatter(x, group)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _gather(grad, ctx.group, ctx.tokens), None
