"""Attention with a learned bias or with dropout, exact and without keeping all scores.

torch's fused kernels refuse a bias that wants a gradient, and dropout; the path that is left keeps
the scores of every row and layer until the backward pass. Here each row is computed on its own, so
its scores stay in the cache, and the backward pass computes them again.

Shapes: B rows, N heads, T queries, S keys, H head width.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def attend_with_bias(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    *,
    scale: float,
    dropout: float = 0.0,
) -> Tensor:
    """softmax(q k' scale + bias, where mask) v.

    Args:
        q: [B, N, T, H].
        k: [B, N, S, H].
        v: [B, N, S, H].
        bias: [1, N, T, S], added to the scores, with a gradient; None: nothing is added.
        mask: [1 or B, 1, 1 or T, S], true where a query may look; every query needs one such key.
        scale: Factor of the products.
        dropout: Share of the attention weights to drop.

    Returns:
        [B, N, T, H].
    """
    if q.device.type == "cpu" and torch.is_grad_enabled():
        return _RowAttention.apply(q, k, v, bias, mask, scale, dropout)  # type: ignore[no-any-return, no-untyped-call]
    joined = mask
    if bias is not None:
        joined = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
    return F.scaled_dot_product_attention(q, k, v, joined, dropout_p=dropout, scale=scale)


def _scores(q: Tensor, k: Tensor, bias: Tensor | None, mask: Tensor | None, scale: float) -> Tensor:
    """Scores [N, T, S] of a row."""
    if bias is None:
        scores = torch.bmm(q, k.transpose(1, 2))
        if scale != 1.0:
            scores *= scale
    else:
        scores = torch.baddbmm(bias, q, k.transpose(1, 2), alpha=scale)
    return scores if mask is None else scores.masked_fill_(~mask, -torch.inf)


def _row(tensor: Tensor | None, row: int) -> Tensor | None:
    if tensor is None:
        return None
    return tensor[row if len(tensor) > 1 else 0]


class _RowAttention(torch.autograd.Function):
    """Keeps the log-sum of each query and, with dropout, one byte for each score."""

    @staticmethod
    def forward(  # noqa: PLR0913 (autograd passes one by one)
        ctx: Any,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        bias: Tensor | None,
        mask: Tensor | None,
        scale: float,
        dropout: float,
    ) -> Tensor:
        if bias is not None:
            bias = bias.to(q.dtype)
        out = torch.empty_like(q)
        sums = q.new_empty(q.shape[:3])
        kept: list[Tensor] = []
        for row in range(len(q)):
            scores = _scores(q[row], k[row], _row(bias, 0), _row(mask, row), scale)
            sums[row] = scores.logsumexp(-1)
            weights = scores.sub_(sums[row][..., None]).exp_()
            if dropout:
                keep = torch.rand_like(weights) >= dropout
                weights.mul_(keep).div_(1.0 - dropout)
                kept.append(keep)
            torch.bmm(weights, v[row], out=out[row])
        ctx.save_for_backward(q, k, v, bias, mask, out, sums, *kept)
        ctx.scale, ctx.dropout = scale, dropout
        return out

    @staticmethod
    def backward(
        ctx: Any, grad_out: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None, None, None, None]:
        q, k, v, bias, mask, out, sums, *kept = ctx.saved_tensors
        grad_out = grad_out.contiguous()
        grads = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        wants_bias = bias is not None and ctx.needs_input_grad[3]
        grad_bias = torch.zeros_like(bias) if wants_bias else None
        inner = (grad_out * out).sum(-1, keepdim=True)
        for row in range(len(q)):
            scores = _scores(q[row], k[row], _row(bias, 0), _row(mask, row), ctx.scale)
            weights = scores.sub_(sums[row][..., None]).exp_()
            grad_weights = torch.bmm(grad_out[row], v[row].transpose(1, 2))
            dropped = weights
            if kept:
                grad_weights.mul_(kept[row]).div_(1.0 - ctx.dropout)
                dropped = (weights * kept[row]).div_(1.0 - ctx.dropout)
            torch.bmm(dropped.transpose(1, 2), grad_out[row], out=grads[2][row])
            grad_scores = grad_weights.sub_(inner[row]).mul_(weights)
            if grad_bias is not None:
                grad_bias[0] += grad_scores
            if ctx.scale != 1.0:
                grad_scores *= ctx.scale
            torch.bmm(grad_scores, k[row], out=grads[0][row])
            torch.bmm(grad_scores.transpose(1, 2), q[row], out=grads[1][row])
        return *grads, grad_bias, None, None, None
