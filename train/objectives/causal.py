"""Causal language modelling over packed rows.

A token's label is the next token of its own document; the last token of a row finds it in
`next_token`. A document's end mark predicts nothing: what follows it is another document.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from train.batch import NO_LABEL, Batch
from train.data.packed import PackedRows
from train.objectives.config import CausalConfig
from train.objectives.rows import token_places


@dataclass(frozen=True)
class CausalObjective:
    """See the module."""

    config: CausalConfig

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """Inputs, labels and places; nothing is random here."""
        places = token_places(rows)
        ids = rows.input_ids.astype(np.int64)
        labels = np.full(ids.shape, NO_LABEL, np.int64)
        goes_on = (places.segment[:, 1:] == places.segment[:, :-1]) & (places.segment[:, :-1] >= 0)
        labels[:, :-1][goes_on] = ids[:, 1:][goes_on]
        has_next = rows.next_token >= 0
        labels[has_next, -1] = rows.next_token[has_next]
        is_whole = bool((places.document == 1).all())
        return Batch(
            input_ids=torch.from_numpy(ids),
            labels=torch.from_numpy(labels),
            document=torch.from_numpy(places.document),
            positions=torch.from_numpy(places.positions),
            segment=torch.from_numpy(places.segment),
            segment_source=torch.from_numpy(rows.segment_source.astype(np.int64)),
            num_sources=len(rows.sources),
            is_whole=is_whole,
        )
