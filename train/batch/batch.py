"""What objectives make and models take; losses as sums with counts.

Shapes: B rows, T tokens, S segments of all rows, O sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from train.data.packed import PackedRows

NO_LABEL = -100


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Tensors of one micro-batch.

    Attributes:
        input_ids: [B, T].
        labels: [B, T], the token to predict at each position, NO_LABEL for none.
        document: [B, T], number of the segment within its row from 1, 0 for padding; attention
            stays inside of equal numbers.
        positions: [B, T], from 0 in each segment.
        segment: As `labels`, number of the segment in the batch, -1 for padding.
        segment_source: [S], numbers into the sources.
        num_sources: O.
        decoder_ids: [B, U] what a decoder reads; then `labels` and `segment` are [B, U].
        token_types: [B, T], 0 and 1 for the first and second of a pair.
        pair_labels: [B], 1 where the second does not follow the first, NO_LABEL for no pair.
        pair_weight: Labels that a full row has; a pair counts as much as these together.
        classes_at: Where `labels` are classes instead of tokens: at [CLS] ("cls") or at "tokens".
        visible: [B, T], true for tokens that all of their document may look at; the others are
            seen by later ones only. None: what the family does.
        is_whole: Every row is one segment without padding, so a causal mask is enough.
    """

    input_ids: Tensor
    labels: Tensor
    document: Tensor
    positions: Tensor
    segment: Tensor
    segment_source: Tensor
    num_sources: int
    is_whole: bool
    decoder_ids: Tensor | None = None
    token_types: Tensor | None = None
    pair_labels: Tensor | None = None
    pair_weight: float = 1.0
    visible: Tensor | None = None
    classes_at: str | None = None

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        tensors = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return Batch(**{**vars(self), **tensors})


@dataclass(frozen=True, kw_only=True)
class LossSums:
    """Sums over labels in nats; nothing is averaged before the global count is known.

    Attributes:
        loss: Scalar with a gradient.
        loss_by_segment: [S] without one.
        labels_by_segment: [S].
        loss_by_source: [O].
        labels_by_source: [O].
        pair_loss: Scalar without one, the sum over pairs; `loss` holds it times `pair_weight`.
        pairs: Scalar, how many.
    """

    loss: Tensor
    loss_by_segment: Tensor
    labels_by_segment: Tensor
    loss_by_source: Tensor
    labels_by_source: Tensor
    pair_loss: Tensor | None = None
    pairs: Tensor | None = None

    @classmethod
    def of(
        cls,
        loss: Tensor,
        token_losses: Tensor,
        labelled: Tensor,
        batch: Batch,
        *,
        pair_loss: Tensor | None = None,
    ) -> LossSums:
        """Add up the losses of labelled tokens.

        Args:
            loss: Their differentiable sum.
            token_losses: Loss [N] of each labelled token.
            labelled: Index [N] of each of them in the flattened [B * T].
            batch: Where the segments are.
            pair_loss: Differentiable sum over the pairs.
        """
        segments = batch.segment.reshape(-1)[labelled]
        size = len(batch.segment_source)
        values = token_losses.double()
        by_segment = values.new_zeros(size).index_add_(0, segments, values)
        counts = values.new_zeros(size).index_add_(0, segments, torch.ones_like(values))
        of_source = batch.segment_source
        zeros = values.new_zeros(batch.num_sources)
        pairs = None
        if pair_loss is not None and batch.pair_labels is not None:
            # One division by the count of labels follows, so a mean over pairs needs this weight.
            loss = loss + pair_loss * batch.pair_weight
            pairs = (batch.pair_labels != NO_LABEL).sum()
        return cls(
            loss=loss,
            loss_by_segment=by_segment,
            labels_by_segment=counts,
            loss_by_source=zeros.index_add(0, of_source, by_segment),
            labels_by_source=zeros.index_add(0, of_source, counts),
            pair_loss=None if pair_loss is None else pair_loss.detach(),
            pairs=pairs,
        )


class Objective(Protocol):
    """Rows to a batch; a pure function of (rows, seed, sample indices)."""

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """Make the tensors of one micro-batch."""
