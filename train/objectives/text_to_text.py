"""Supervised rows (layout `pairs`): an input with its end mark, then a target with its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from train.batch.batch import Batch
from train.data.packed import PackedRows
from train.objectives.assemble import ASSEMBLERS
from train.objectives.tokens import Tokens, row_tokens


@dataclass(frozen=True, kw_only=True)
class TextToTextObjective:
    """Read inputs and predict targets. Nothing is drawn: packing decided the tasks and their order."""

    pad: int
    arrangement: str = "encoder_decoder"

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """Inputs and targets; attention sees the whole input."""
        tokens = row_tokens(rows)
        tokens = Tokens(tokens.ids, tokens.real.astype(np.int64), tokens.segment)
        is_input = np.arange(tokens.ids.shape[1]) < rows.extra["target_start"][:, None]
        inputs = tokens.kept(is_input, pad=self.pad)
        targets = tokens.kept(~is_input, pad=self.pad)
        return ASSEMBLERS[self.arrangement](inputs, targets, rows, pad=self.pad)
