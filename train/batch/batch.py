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
        input_ids: [B, T] ids of the tokens that the model reads.
        labels: [B, T], the token to predict at each position, NO_LABEL for none.
        document: [B, T], number of the segment within its row, from 1; 0 for padding. Attention
            stays inside of equal numbers.
        positions: [B, T], position of a token in its segment, from 0.
        segment: [B, T], index of the segment in the batch, -1 for padding.
        segment_source: [S], index of a segment's source.
        num_sources: O, the number of sources of the dataset.
        decoder_ids: [B, U] what a decoder reads; then `labels` and `segment` are [B, U].
        token_types: [B, T], 0 and 1 for the first and second of a pair.
        pair_labels: [B], 1 where the second does not follow the first, NO_LABEL for no pair.
        pair_weight: Number of labels that a full row has; a pair counts as much as they do together.
        classes_at: Where `labels` are classes instead of tokens: at [CLS] ("cls") or at "tokens".
        visible: [B, T], true for tokens that all tokens of their document may attend to; the
            others are seen by later tokens only. None: as the family attends.
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

    @classmethod
    def of_whole_rows(
        cls, input_ids: Tensor, labels: Tensor, *, decoder_ids: Tensor | None = None
    ) -> Batch:
        """Rows that are one document each, without padding, all of one source.

        Args:
            input_ids: [B, T].
            labels: [B, T], or [B, U] with a decoder's.
            decoder_ids: [B, U] what a decoder reads; None: there is none.
        """
        rows, tokens = input_ids.shape
        return cls(
            input_ids=input_ids,
            labels=labels,
            document=torch.ones_like(input_ids),
            positions=torch.arange(tokens).expand(rows, tokens),
            segment=torch.arange(rows)[:, None].expand_as(labels),
            segment_source=torch.zeros(rows, dtype=torch.long),
            num_sources=1,
            is_whole=True,
            decoder_ids=decoder_ids,
        )

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
        loss: Scalar with a gradient, the sum over all labels.
        loss_by_segment: [S] sums of losses, without a gradient.
        labels_by_segment: [S] numbers of labels.
        loss_by_source: [O] sums of losses, without a gradient.
        labels_by_source: [O] numbers of labels.
        pair_loss: Scalar without a gradient, the sum over pairs; `loss` holds it times
            `pair_weight`. None where the objective has no pairs.
        pairs: Scalar, the number of pairs.
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
            loss: The differentiable sum of all losses.
            token_losses: Loss [N] of each labelled token.
            labelled: Index [N] of each of them in the flattened [B * T].
            batch: The batch that the losses are of; it says where the segments lie.
            pair_loss: The differentiable sum over the pairs; None without pairs.
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

    def row_means(self, batch: Batch) -> Tensor:
        """Nats per label of each row, [B]; NaN for a row without labels."""
        rows, width = batch.segment.shape
        row_BT = torch.arange(rows, device=batch.segment.device)[:, None].expand(rows, width)
        is_real = batch.segment >= 0
        row_of_segment = torch.zeros_like(batch.segment_source, dtype=torch.long)
        row_of_segment[batch.segment[is_real].long()] = row_BT[is_real]
        zeros = self.loss_by_segment.new_zeros(rows)
        losses = zeros.index_add(0, row_of_segment, self.loss_by_segment)
        return losses / zeros.index_add(0, row_of_segment, self.labels_by_segment)


class Objective(Protocol):
    """Makes a batch of packed rows: a pure function of rows, seed and sample indices."""

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """Make the tensors of one micro-batch."""
