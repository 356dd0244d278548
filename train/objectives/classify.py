"""Supervised rows for BERT's heads: [CLS] input [SEP], a class at [CLS] or at first tokens of words.

Source: Devlin et al. 2019, sections 4 and 5.3. Two sentences of a task stand in its template.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas.manifest import SpecialIds
from train.batch.batch import NO_LABEL, Batch
from train.data.packed import PackedRows
from train.objectives.assemble import make_batch
from train.objectives.tokens import Tokens, row_tokens


@dataclass(frozen=True, kw_only=True)
class ClassifyObjective:
    """Predict classes at `at`: `cls` or `tokens`. Nothing is drawn, so the seed is not used."""

    at: str
    special: SpecialIds

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """Inputs and classes; the text of the target is left out."""
        assert self.special.cls is not None  # build_checked refuses it
        assert self.special.sep is not None
        tokens, pad = row_tokens(rows), self.special.pad
        # The input's end mark becomes [SEP].
        ends = rows.extra["target_start"].astype(np.int64) - 1
        columns = np.arange(tokens.ids.shape[1])
        ids = np.where(columns == ends[:, None], self.special.sep, tokens.ids)
        whole = Tokens(ids, tokens.real.astype(np.int64), tokens.segment)
        inputs = whole.kept(columns <= ends[:, None], pad=pad)
        read = inputs.widened(inputs.ids.shape[1] + 1, pad=pad)
        read.ids[:, 1:], read.ids[:, 0] = inputs.ids, self.special.cls
        read.document[:, 1:], read.document[:, 0] = inputs.document, 1
        read.segment[:, 1:], read.segment[:, 0] = inputs.segment, inputs.segment[:, 0]
        labels = np.full(read.ids.shape, NO_LABEL, np.int64)
        if self.at == "cls":
            labels[:, 0] = rows.extra["class_label"]
        else:
            given = rows.extra["token_labels"][:, : inputs.ids.shape[1]]
            labels[:, 1:] = np.where(columns[: given.shape[1]] < ends[:, None], given, NO_LABEL)
        return make_batch(rows, read, labels=labels, segment=read.segment, classes_at=self.at)
