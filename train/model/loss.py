"""Cross-entropy in chunks: the logits of all places are never in memory at once.

Shapes: N labelled places, D width, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from train.parallel.vocabulary import split_cross_entropy_sums

CHUNK_BYTES = 64 << 20


def cross_entropy_sums(
    hidden_ND: Tensor, weight_VD: Tensor, labels_N: Tensor, bias_V: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Sum of the losses, with a gradient, and the loss at each place, without one."""
    if isinstance(weight_VD, DTensor):
        rows = chunk_rows(len(weight_VD))
        return split_cross_entropy_sums(hidden_ND, weight_VD, labels_N, bias_V, rows=rows)
    return _ChunkedCrossEntropy.apply(hidden_ND, weight_VD, labels_N, bias_V)  # type: ignore[no-any-return,no-untyped-call]


def chunk_rows(vocab_size: int) -> int:
    """Places whose logits are in memory at once."""
    return max(16, CHUNK_BYTES // (4 * vocab_size))


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Gradients are made beside the losses, chunk by chunk; backward only scales them.

    That is exact because the only differentiable result is the sum: its incoming gradient is one
    number. Softmax is in fp32 at least.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, bias: Tensor | None
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
        losses = []
        for start in range(0, len(labels), rows):
            part = hidden[start : start + rows].to(compute)
            wanted = labels[start : start + rows, None]
            logits = (part @ matrix.T).to(torch.promote_types(compute, torch.float32))
            if bias is not None:
                logits = logits + bias
            log_sums = logits.logsumexp(-1, keepdim=True)
            losses.append((log_sums - logits.gather(1, wanted)).squeeze(1))
            if grad_hidden is None and grad_weight is None:
                continue
            grad = logits.sub_(log_sums).exp_()
            grad.scatter_add_(1, wanted, grad.new_full(wanted.shape, -1.0))
            if grad_bias is not None:
                grad_bias += grad.sum(0)
            grad = grad.to(compute)
            if grad_hidden is not None:
                grad_hidden[start : start + rows] = grad @ matrix
            if grad_weight is not None:
                grad_weight.addmm_(grad.T.to(grad_weight.dtype), part.to(grad_weight.dtype))
        each = torch.cat(losses) if losses else hidden.new_zeros(0)
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        ctx.mark_non_differentiable(each)
        return each.sum(), each

    @staticmethod
    def backward(
        ctx: Any, grad_sum: Tensor, _: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, Tensor | None]:
        grad_hidden, grad_weight, grad_bias = ctx.saved_tensors
        return (
            grad_hidden * grad_sum if grad_hidden is not None else None,
            grad_weight * grad_sum if grad_weight is not None else None,
            None,
            grad_bias * grad_sum if grad_bias is not None else None,
        )
