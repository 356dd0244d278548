"""Inputs and targets as a batch: for an encoder and a decoder, or behind each other for one stack.

Shapes: B rows, T tokens read, U tokens written.
"""

from __future__ import annotations

import numpy as np
import torch

from train.batch.batch import NO_LABEL, Batch
from train.data.packed import PackedRows
from train.objectives.tokens import Tokens, joined


def encoder_decoder(inputs: Tokens, targets: Tokens, rows: PackedRows, *, pad: int) -> Batch:
    """The encoder reads inputs; the decoder reads targets one position later, first `pad`."""
    decoder_ids = np.full_like(targets.ids, pad)
    decoder_ids[:, 1:] = targets.ids[:, :-1]
    return make_batch(
        rows,
        inputs,
        labels=np.where(targets.real, targets.ids, NO_LABEL),
        segment=targets.segment,
        decoder_ids=torch.from_numpy(decoder_ids),
    )


def prefix_lm(inputs: Tokens, targets: Tokens, rows: PackedRows, *, pad: int) -> Batch:
    """A decoder reads both; inputs attend to all inputs, and targets are predicted."""
    both = _one_document(joined(inputs, targets, pad=pad))
    visible = np.arange(both.ids.shape[1]) < inputs.counts[:, None]
    labels, segment = _next(both, ~visible)
    return make_batch(
        rows,
        _all_but_last(both),
        labels=labels,
        segment=segment,
        visible=torch.from_numpy(visible[:, : labels.shape[1]].copy()),
    )


def language_model(inputs: Tokens, targets: Tokens, rows: PackedRows, *, pad: int) -> Batch:
    """A decoder reads both from left to right and predicts both."""
    both = _one_document(joined(inputs, targets, pad=pad))
    labels, segment = _next(both, both.real)
    return make_batch(rows, _all_but_last(both), labels=labels, segment=segment)


ASSEMBLERS = {
    "encoder_decoder": encoder_decoder,
    "prefix_lm": prefix_lm,
    "language_model": language_model,
}


def _one_document(tokens: Tokens) -> Tokens:
    """The same tokens as one document: corruption and attention cross borders, as in T5."""
    return Tokens(tokens.ids, tokens.real.astype(np.int64), tokens.segment)


def _next(tokens: Tokens, is_target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and segments, each at the position before the token that it belongs to."""
    wanted = (is_target & tokens.real)[:, 1:]
    return np.where(wanted, tokens.ids[:, 1:], NO_LABEL), np.where(
        wanted, tokens.segment[:, 1:], -1
    )


def _all_but_last(tokens: Tokens) -> Tokens:
    """The last position predicts nothing, so it is not read."""
    return Tokens(
        tokens.ids[:, :-1].copy(), tokens.document[:, :-1].copy(), tokens.segment[:, :-1].copy()
    )


def make_batch(
    rows: PackedRows,
    read: Tokens,
    *,
    labels: np.ndarray,
    segment: np.ndarray,
    positions: np.ndarray | None = None,
    pair_weight: float = 1.0,
    classes_at: str | None = None,
    **more: torch.Tensor | None,
) -> Batch:
    """The tensors of a batch; positions count from the start of the row unless given."""
    if positions is None:
        positions = np.broadcast_to(np.arange(read.ids.shape[1]), read.ids.shape).copy()
    return Batch(
        input_ids=torch.from_numpy(read.ids),
        labels=torch.from_numpy(labels),
        document=torch.from_numpy(read.document),
        positions=torch.from_numpy(positions),
        segment=torch.from_numpy(segment),
        segment_source=torch.from_numpy(rows.segment_source.astype(np.int64)),
        num_sources=len(rows.sources),
        is_whole=bool((read.document == 1).all()) and more.get("visible") is None,
        decoder_ids=more.get("decoder_ids"),
        token_types=more.get("token_types"),
        pair_labels=more.get("pair_labels"),
        pair_weight=pair_weight,
        classes_at=classes_at,
        visible=more.get("visible"),
    )
