"""A vocabulary split over ranks: embedding and cross-entropy (Shoeybi et al. 2019, section 3).

A vocabulary that does not divide leaves the last rank fewer rows; no padding reaches a checkpoint.

Shapes: N labelled tokens, D width, V vocabulary, W rows of this rank.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.distributed import ProcessGroup
from torch.distributed.tensor import DTensor, Partial, Shard

from train.distributed.collectives import sum_out


def is_split(weight: Tensor) -> bool:
    """Whether the rows of a matrix lie on several ranks."""
    return isinstance(weight, DTensor) and Shard(0) in weight.placements


def first_row(weight: DTensor) -> int:
    """The id of the first row that this rank has."""
    mesh = weight.device_mesh
    rows = -(-weight.shape[0] // mesh.size())
    return min(mesh.get_local_rank() * rows, weight.shape[0])


def split_embedding(ids: Tensor, weight: DTensor) -> Tensor:
    """Embed ids; each is looked up by the rank that has its row."""
    rows_WD = weight.to_local()
    local = ids - first_row(weight)
    is_here = (local >= 0) & (local < len(rows_WD))
    rows = F.embedding(local.clamp(0, max(len(rows_WD) - 1, 0)), rows_WD)
    return sum_out(rows * is_here[..., None], weight.device_mesh.get_group())


def split_cross_entropy_sums(
    hidden_ND: Tensor, weight_VD: DTensor, labels_N: Tensor, bias_V: Tensor | None, *, rows: int
) -> tuple[Tensor, Tensor]:
    """As `train.model.loss.cross_entropy_sums`, over a split vocabulary, `rows` tokens at once."""
    local_WD = weight_VD.to_local()
    first = first_row(weight_VD)
    bias_W = None
    if bias_V is not None:
        if isinstance(bias_V, DTensor):
            # Each rank has the gradient of its own rows.
            bias_V = bias_V.to_local(grad_placements=[Partial()])
        bias_W = bias_V[first : first + len(local_WD)]
    group = weight_VD.device_mesh.get_group()
    return _SplitCrossEntropy.apply(hidden_ND, local_WD, labels_N, bias_W, first, group, rows)  # type: ignore[no-any-return,no-untyped-call]


def _chunk(
    part: Tensor, matrix: Tensor, bias: Tensor | None, wanted: Tensor, group: ProcessGroup
) -> tuple[Tensor, Tensor]:
    """Losses and the gradient of this rank's logits, both by the softmax over all ranks' rows."""
    logits = (part @ matrix.T).to(torch.promote_types(part.dtype, torch.float32))
    if bias is not None:
        logits = logits + bias
    has_rows = logits.shape[1] > 0
    highest = logits.amax(1) if has_rows else logits.new_full((len(part),), -torch.inf)
    dist.all_reduce(highest, dist.ReduceOp.MAX, group=group)
    exponents = logits.sub_(highest[:, None])
    is_here = (wanted >= 0) & (wanted < logits.shape[1])
    owned = torch.nonzero(is_here).squeeze(1)
    target = torch.zeros_like(highest)
    target[owned] = exponents[owned, wanted[owned]]
    exponents.exp_()
    both = torch.stack((exponents.sum(1), target))
    dist.all_reduce(both, group=group)
    total, target = both
    grad = exponents.div_(total[:, None])
    grad[owned, wanted[owned]] -= 1.0
    return total.log() - target, grad


class _SplitCrossEntropy(torch.autograd.Function):
    """Cross-entropy that computes its gradients in the forward pass, beside the losses."""

    @staticmethod
    def forward(  # noqa: PLR0913 - autograd takes tensors one by one
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        labels: Tensor,
        bias: Tensor | None,
        first: int,
        group: ProcessGroup,
        rows: int,
    ) -> tuple[Tensor, Tensor]:
        compute = hidden.dtype
        if torch.is_autocast_enabled(hidden.device.type):
            compute = torch.get_autocast_dtype(hidden.device.type)
        matrix = weight.to(compute)
        grad_hidden = torch.zeros_like(hidden)
        grad_weight = torch.zeros_like(weight)
        grad_bias = torch.zeros_like(bias) if bias is not None else None
        losses = []
        for start in range(0, len(labels), rows):
            part = hidden[start : start + rows].to(compute)
            chunk, grad = _chunk(part, matrix, bias, labels[start : start + rows] - first, group)
            losses.append(chunk)
            if grad_bias is not None:
                grad_bias += grad.sum(0)
            grad = grad.to(compute)
            grad_hidden[start : start + rows] = grad @ matrix
            grad_weight.addmm_(grad.T.to(weight.dtype), part.to(weight.dtype))
        if ctx.needs_input_grad[0]:
            dist.all_reduce(grad_hidden, group=group)
        losses_N = torch.cat(losses) if losses else hidden.new_zeros(0)
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        ctx.mark_non_differentiable(losses_N)
        return losses_N.sum(), losses_N

    @staticmethod
    def backward(ctx: Any, grad_sum: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        grad_hidden, grad_weight, grad_bias = ctx.saved_tensors
        return (
            grad_hidden * grad_sum,
            grad_weight * grad_sum,
            None,
            grad_bias * grad_sum if grad_bias is not None else None,
            None,
            None,
            None,
        )
