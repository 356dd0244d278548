"""Attention with a learned bias or with dropout, exact and without keeping all scores.

torch's fused kernels take neither a bias with a gradient nor dropout; its other kernel keeps the
scores of all rows of a layer until the backward pass. Here each row is computed on its own, so that
its scores stay in the processor's cache; the backward pass computes them again, unless they are few.

Shapes: B rows, N heads, T queries, S keys, H head width.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from train.distributed.torch_private import softmax_backward

# Attention weights of a layer up to this size are kept: computing them again takes a twentieth of
# a step of T5.
KEPT_BYTES = 48 << 20


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
        mask: [1 or B, 1, 1 or T, S], true where a query may attend; every query needs one such key.
        scale: Factor of the products of queries and keys.
        dropout: Share of the attention weights that are set to zero.

    Returns:
        [B, N, T, H].
    """
    if q.device.type == "cpu" and torch.is_grad_enabled():
        return _RowAttention.apply(q, k, v, bias, mask, scale, dropout)  # type: ignore[no-any-return, no-untyped-call]
    joined = mask
    if bias is not None:
        joined = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
    return F.scaled_dot_product_attention(q, k, v, joined, dropout_p=dropout, scale=scale)


def added_mask(mask: Tensor, like: Tensor) -> Tensor:
    """The mask as torch's kernels add it to scores: 0 where a token may attend, else -inf.

    Every layer would make it anew from the same bits, which takes a tenth of a small model's step.

    Args:
        mask: Bits, true where a query may attend.
        like: Hidden states; with autocast, scores are of its type instead.
    """
    kind, dtype = like.device.type, like.dtype
    if torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, -torch.inf)


def _weights(
    q: Tensor, k: Tensor, bias: Tensor | None, mask: Tensor | None, scale: float
) -> Tensor:
    """Attention weights [N, T, S] of one row of the batch."""
    if bias is None:
        scores = torch.bmm(q, k.transpose(1, 2))
        if scale != 1.0:
            scores *= scale
    else:
        scores = torch.baddbmm(bias[0], q, k.transpose(1, 2), alpha=scale)
    if mask is not None:
        scores.masked_fill_(~mask, -torch.inf)
    return torch.softmax(scores, -1)


def _row(tensor: Tensor | None, row: int) -> Tensor | None:
    if tensor is None:
        return None
    return tensor[row if len(tensor) > 1 else 0]


class _RowAttention(torch.autograd.Function):
    """Saves its inputs, with dropout one byte per score, and the weights where they are few."""

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
        kept: list[Tensor] = []
        again: list[Tensor] = []
        is_small = len(q) * q.shape[1] * q.shape[2] * k.shape[2] * q.itemsize <= KEPT_BYTES
        for row in range(len(q)):
            weights = _weights(q[row], k[row], bias, _row(mask, row), scale)
            if is_small:
                again.append(weights)
            if dropout:
                keep = torch.rand_like(weights) >= dropout
                weights = weights * keep
                kept.append(keep)
            torch.bmm(weights, v[row], out=out[row])
        if dropout:
            out.div_(1.0 - dropout)
        ctx.save_for_backward(q, k, v, bias, mask, *kept, *again)
        ctx.scale, ctx.dropout = scale, dropout
        return out

    @staticmethod
    def backward(
        ctx: Any, grad_out: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None, None, None, None]:
        q, k, v, bias, mask, *more = ctx.saved_tensors
        kept = more[: len(q)] if ctx.dropout else []
        again = more[len(kept) :]
        if kept:
            grad_out = grad_out / (1.0 - ctx.dropout)
        grads = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        wants_bias = bias is not None and ctx.needs_input_grad[3]
        grad_bias = torch.zeros_like(bias) if wants_bias else None
        for row in range(len(q)):
            weights = (
                again[row] if again else _weights(q[row], k[row], bias, _row(mask, row), ctx.scale)
            )
            grad_weights = torch.bmm(grad_out[row], v[row].transpose(1, 2))
            dropped = weights
            if kept:
                grad_weights.mul_(kept[row])
                dropped = weights * kept[row]
            torch.bmm(dropped.transpose(1, 2), grad_out[row], out=grads[2][row])
            grad_scores = softmax_backward(grad_weights, weights)
            if grad_bias is not None:
                grad_bias[0] += grad_scores
            if ctx.scale != 1.0:
                grad_scores *= ctx.scale
            torch.bmm(grad_scores, k[row], out=grads[0][row])
            torch.bmm(grad_scores.transpose(1, 2), q[row], out=grads[1][row])
        return *grads, grad_bias, None, None, None
