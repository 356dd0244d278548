"""Cross-entropy in chunks: the logits of all labelled tokens are never in memory at once.

Shapes: N labelled tokens, D width, V vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from train.distributed.split_vocabulary import split_cross_entropy_sums
from train.model.config import ModelConfig

# Small enough for the last cache: 64 MB took a fifth more of the head's time on one core.
CHUNK_BYTES = 8 << 20


@dataclass(frozen=True, kw_only=True)
class Penalties:
    """Terms that the training loss adds to the cross-entropy; reported losses leave them out.

    Attributes:
        label_smoothing: Share of the target that is spread evenly over all ids (Szegedy et al.
            2016, section 7).
        z_loss: Weight of the squared log of the softmax's denominator (Chowdhery et al. 2022,
            section 5; t5x).
    """

    label_smoothing: float = 0.0
    z_loss: float = 0.0


def penalties(config: ModelConfig) -> Penalties | None:
    """The penalties that a configuration asks for; None for plain cross-entropy."""
    if not (config.label_smoothing or config.z_loss):
        return None
    return Penalties(label_smoothing=config.label_smoothing, z_loss=config.z_loss)


def cross_entropy_sums(
    hidden_ND: Tensor,
    weight_VD: Tensor,
    labels_N: Tensor,
    bias_V: Tensor | None = None,
    *,
    extra: Penalties | None = None,
) -> tuple[Tensor, Tensor]:
    """Losses of labelled tokens, in nats.

    Args:
        hidden_ND: Hidden states of the labelled tokens.
        weight_VD: Matrix of the head; a DTensor where tensor ranks have split the vocabulary.
        labels_N: The token that each of them should predict.
        bias_V: Bias of the head.
        extra: Penalties to add to the sum; not for a split vocabulary.

    Returns:
        The sum of the losses with the penalties, which has a gradient, and the cross-entropy of
        each token [N], which has none.
    """
    if isinstance(weight_VD, DTensor):
        assert extra is None, "train.refusals lets no penalty meet a split vocabulary"
        rows = chunk_rows(len(weight_VD))
        return split_cross_entropy_sums(hidden_ND, weight_VD, labels_N, bias_V, rows=rows)
    return _ChunkedCrossEntropy.apply(hidden_ND, weight_VD, labels_N, bias_V, extra or Penalties())  # type: ignore[no-any-return,no-untyped-call]


def chunk_rows(vocab_size: int) -> int:
    """Number of tokens whose logits are in memory at once."""
    return max(64, CHUNK_BYTES // (4 * vocab_size))


def _chunk(logits: Tensor, wanted: Tensor, extra: Penalties) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy [n], training loss [n] and the gradient of the logits [n, V] of a chunk.

    The gradient overwrites the logits.
    """
    highest = logits.amax(-1, keepdim=True)
    shifted = logits.sub_(highest)
    target = shifted.gather(1, wanted)
    mean = shifted.mean(-1, keepdim=True) if extra.label_smoothing else None
    exponents = shifted.exp_()
    sums = exponents.sum(-1, keepdim=True)
    log_sums = sums.log()
    plain = log_sums - target
    loss, factor = plain, sums.reciprocal()
    if mean is not None:
        loss = loss + extra.label_smoothing * (target - mean)
    if extra.z_loss:
        log_z = log_sums + highest
        loss = loss + extra.z_loss * log_z.square()
        factor = factor * (1.0 + 2.0 * extra.z_loss * log_z)
    grad = exponents.mul_(factor)
    if mean is not None:
        grad.sub_(extra.label_smoothing / logits.shape[1])
    grad.scatter_add_(1, wanted, grad.new_full(wanted.shape, extra.label_smoothing - 1.0))
    return plain.squeeze(1), loss.squeeze(1), grad


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Computes gradients with the losses, chunk by chunk; the backward pass only scales them.

    That is exact because the only differentiable result is the sum: its incoming gradient is one
    number. Softmax is in fp32 at least.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        labels: Tensor,
        bias: Tensor | None,
        extra: Penalties,
    ) -> tuple[Tensor, Tensor]:
        if torch.is_autocast_enabled(hidden.device.type):
            compute = torch.get_autocast_dtype(hidden.device.type)
        else:
            compute = hidden.dtype
        matrix = weight.to(compute)
        rows = chunk_rows(len(weight))
        wants_hidden, wants_weight = ctx.needs_input_grad[:2]
        grad_hidden = torch.empty_like(hidden) if wants_hidden else None
        grad_weight = torch.zeros_like(weight) if wants_weight else None
        grad_bias = torch.zeros_like(bias) if bias is not None else None
        losses = hidden.new_empty(len(labels), dtype=torch.promote_types(compute, torch.float32))
        total = torch.zeros_like(losses[:1]).squeeze() if len(losses) else losses.sum()
        for start in range(0, len(labels), rows):
            part = hidden[start : start + rows].to(compute)
            logits = (part @ matrix.T).to(losses.dtype)
            if bias is not None:
                logits += bias
            plain, loss, grad = _chunk(logits, labels[start : start + rows, None], extra)
            losses[start : start + rows] = plain
            total = total + loss.sum()
            if grad_bias is not None:
                grad_bias += grad.sum(0)
            grad = grad.to(compute)
            if grad_hidden is not None:
                grad_hidden[start : start + rows] = grad @ matrix
            if grad_weight is not None:
                grad_weight.addmm_(grad.T.to(grad_weight.dtype), part.to(grad_weight.dtype))
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        ctx.mark_non_differentiable(losses)
        return total, losses

    @staticmethod
    def backward(
        ctx: Any, grad_sum: Tensor, _: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, Tensor | None, None]:
        grad_hidden, grad_weight, grad_bias = ctx.saved_tensors
        return (
            grad_hidden * grad_sum if grad_hidden is not None else None,
            grad_weight * grad_sum if grad_weight is not None else None,
            None,
            grad_bias * grad_sum if grad_bias is not None else None,
            None,
        )
