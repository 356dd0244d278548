"""Causal language modelling over packed rows.

A token's label is the next token of its own document; the last token of a row finds it in
`next_token`. A document's end mark predicts nothing: what follows it is another document.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train.batch.batch import NO_LABEL, Batch
from train.data.packed import PackedRows
from train.objectives.assemble import make_batch
from train.objectives.rows import token_segments
from train.objectives.tokens import Tokens


@dataclass(frozen=True)
class CausalObjective:
    """Predict the next token of the same document."""

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """Inputs and labels of packed rows; nothing is drawn, so the seed is not used."""
        per_token = token_segments(rows)
        ids = rows.input_ids.astype(np.int64)
        labels = np.full(ids.shape, NO_LABEL, np.int64)
        goes_on = (per_token.segment[:, 1:] == per_token.segment[:, :-1]) & (
            per_token.segment[:, :-1] >= 0
        )
        labels[:, :-1][goes_on] = ids[:, 1:][goes_on]
        has_next = rows.next_token >= 0
        labels[has_next, -1] = rows.next_token[has_next]
        return make_batch(
            rows,
            Tokens(ids, per_token.document, per_token.segment),
            labels=labels,
            segment=per_token.segment,
            positions=per_token.positions,
        )
