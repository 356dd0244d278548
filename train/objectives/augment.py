"""Augmentation of any objective: spans of the rows are reordered, inputs are hidden in the batch.

Noise that needs text (case, width, spelling, BPE-dropout) is made when copies are packed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from train.batch.batch import NO_LABEL, Batch, Objective
from train.data.packed import PackedRows
from train.objectives.config import AugmentConfig
from train.objectives.randomness import sort_keys, uniform
from train.objectives.rows import token_segments


@dataclass(frozen=True, kw_only=True)
class Augmented:
    """An objective whose rows and inputs are changed.

    Attributes:
        inner: The objective that builds the batch.
        config: The changes of rows and inputs.
        hidden: Id that replaces hidden inputs ([MASK], or the first sentinel).
        kept_ids: Special tokens, which are neither moved nor hidden.
    """

    inner: Objective
    config: AugmentConfig
    hidden: int
    kept_ids: tuple[int, ...]

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """The batch of the inner objective with its changes; depends on rows and seed alone."""
        if self.config.shuffled_span_tokens is not None:
            rows = self._shuffled(rows, self.config.shuffled_span_tokens, seed)
        batch = self.inner.build(rows, seed=seed)
        if self.config.token_dropout is None:
            return batch
        ids = batch.input_ids.numpy()
        draw = uniform(seed, rows.sample_index, ids.shape[1], stream="token dropout")
        hide = (draw < self.config.token_dropout) & ~np.isin(ids, self.kept_ids)
        if batch.decoder_ids is None and batch.visible is None and self.hides_chosen_only:
            hide &= batch.labels.numpy() == NO_LABEL
        return replace(batch, input_ids=torch.from_numpy(np.where(hide, self.hidden, ids)))

    @property
    def hides_chosen_only(self) -> bool:
        """Whether tokens with labels are left alone: BERT's masking decides what stands there."""
        return hasattr(self.inner, "masking")

    def _shuffled(self, rows: PackedRows, mean_tokens: float, seed: int) -> PackedRows:
        """Cut documents into spans of geometric length and put these into another order."""
        per_token = token_segments(rows)
        width = rows.input_ids.shape[1]
        fixed = np.isin(rows.input_ids, self.kept_ids) | (per_token.document == 0)
        cuts = uniform(seed, rows.sample_index, width, stream="span cuts") < 1 / mean_tokens
        cuts[:, 0] = True
        cuts[:, 1:] |= (per_token.segment[:, 1:] != per_token.segment[:, :-1]) | fixed[:, 1:]
        cuts[:, 1:] |= fixed[:, :-1]
        span = np.cumsum(cuts, axis=1) - 1
        keys = sort_keys(seed, rows.sample_index, width, stream="span order")
        span_key = np.take_along_axis(keys, span, axis=1)
        # A fixed token stays where it is: the runs between fixed tokens are shuffled apart.
        block = np.cumsum(fixed | np.roll(fixed, 1, axis=1), axis=1)
        order = np.lexsort((span, span_key, block, per_token.segment), axis=1)
        stable = np.lexsort((span, block, per_token.segment), axis=1)
        ids = rows.input_ids.copy()
        np.put_along_axis(ids, stable, np.take_along_axis(rows.input_ids, order, axis=1), axis=1)
        return replace(rows, input_ids=ids)
