"""Normalisations.

Shapes: B rows, T tokens, D width.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from train.model.config import ModelConfig


class RMSNorm(nn.Module):
    """Scale by the root of the mean square (Zhang and Sennrich 2019), in fp32 at least."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Normalise over the last dimension."""
        if x_BTD.dtype == self.weight.dtype in (torch.float32, torch.float64):
            return _RMSNorm.apply(x_BTD, self.weight, self.eps)  # type: ignore[no-any-return, no-untyped-call]
        wide = x_BTD.to(torch.promote_types(x_BTD.dtype, torch.float32))
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)
        return (wide * scale).to(x_BTD.dtype) * self.weight


class _RMSNorm(torch.autograd.Function):
    """Saves its input and one number per token; autograd would save three tensors of that size."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        scale = torch.rsqrt(norm.square_().div_(x.shape[-1]).add_(eps))
        ctx.save_for_backward(x, weight, scale)
        return (x * scale).mul_(weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, scale = ctx.saved_tensors
        unit = x * scale
        grad_weight = (grad * unit).sum(tuple(range(x.ndim - 1)))
        scaled = grad * weight
        inner = (scaled * unit).mean(-1, keepdim=True)
        return scaled.sub_(unit.mul_(inner)).mul_(scale), grad_weight, None


class MaskedBatchNorm(nn.Module):
    """Batch normalisation over real tokens only (Ioffe and Szegedy 2015; Shen et al. 2020).

    Padding enters neither mean nor variance. `real_BT` is set by the model before its blocks run;
    None means that every token is real. Statistics of training are those of the rank's rows;
    evaluation uses the running ones, which are buffers of the checkpoint.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int, eps: float, momentum: float = 0.1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.eps, self.momentum = eps, momentum
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))
        self.real_BT: Tensor | None = None

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Normalise each of D components over the real tokens; padding becomes zero.

        Padding that kept its values would grow from block to block, as no statistic knows of it, until
        its scores were infinite and all gradients no numbers.
        """
        mean, var = self.running_mean, self.running_var
        # Chosen tokens, [N, D], are all real.
        real_BT = self.real_BT if x_BTD.ndim == 3 else None
        if self.training:
            mean, var = self._statistics(
                x_BTD.flatten(0, -2) if real_BT is None else x_BTD[real_BT]
            )
        scaled = (x_BTD - mean) * torch.rsqrt(var + self.eps)
        normal = scaled * self.weight + self.bias
        if real_BT is not None:
            normal = normal.masked_fill(~real_BT[..., None], 0)
        return normal.to(x_BTD.dtype)

    def _statistics(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        tokens = tokens.to(torch.promote_types(tokens.dtype, torch.float32))
        var, mean = torch.var_mean(tokens, 0, unbiased=False)
        with torch.no_grad():
            # The running variance is the unbiased one, as in torch's BatchNorm1d.
            unbiased = var * len(tokens) / max(len(tokens) - 1, 1)
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
        return mean, var


def make_norm(config: ModelConfig) -> nn.Module:
    match config.norm:
        case "rmsnorm":
            return RMSNorm(config.width, config.norm_eps)
        case "batchnorm":
            return MaskedBatchNorm(config.width, config.norm_eps)
        case "none":
            return nn.Identity()
        case "layernorm":
            return nn.LayerNorm(config.width, eps=config.norm_eps)


def _batch_norms(model: nn.Module) -> Iterator[MaskedBatchNorm]:
    """The norms of a model that must know which tokens are real."""
    return (module for module in model.modules() if isinstance(module, MaskedBatchNorm))


def set_real_tokens(model: nn.Module, document_BT: Tensor | None) -> None:
    """Tell the batch norms of a model which tokens are real; called before its blocks run."""
    for norm in _batch_norms(model):
        norm.real_BT = None if document_BT is None else document_BT > 0
