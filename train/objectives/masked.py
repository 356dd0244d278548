"""BERT's masked tokens: 15 % are predicted, of them 80 % masked, 10 % random, 10 % kept.

With pairs, a second loss on [CLS]; with a mixture of attention masks, UniLM.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from train.batch.batch import NO_LABEL, Batch
from train.data.packed import PackedRows
from train.objectives.assemble import make_batch
from train.objectives.masking import Masking
from train.objectives.pairs import Paired, next_sentence, sentence_order
from train.objectives.randomness import uniform
from train.objectives.rows import token_segments
from train.objectives.tokens import Tokens


@dataclass(frozen=True, kw_only=True)
class MaskedObjective:
    """Predict the tokens that `masking` chooses; with `pairs`, also a label of each pair on [CLS]."""

    masking: Masking
    whole_words: bool
    pairs: str | None

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """Inputs and labels; a pure function of rows, seed and sample indices."""
        if self.pairs is not None:
            return self._build_pairs(rows, seed)
        per_token = token_segments(rows)
        tokens = Tokens(rows.input_ids.astype(np.int64), per_token.document, per_token.segment)
        words = rows.extra["word_starts"] if self.whole_words else None
        read, labels = _mask(self.masking, tokens, words, rows, seed)
        return make_batch(
            rows, read, labels=labels, segment=per_token.segment, positions=per_token.positions
        )

    def _build_pairs(self, rows: PackedRows, seed: int) -> Batch:
        paired: Paired
        if self.pairs == "next_sentence":
            paired = next_sentence(rows)
        else:
            paired = sentence_order(rows, self.masking.special, seed=seed)
        words = paired.words if self.whole_words else None
        read, labels = _mask(self.masking, paired.tokens, words, rows, seed)
        return make_batch(
            rows,
            read,
            labels=labels,
            segment=paired.tokens.segment,
            token_types=torch.from_numpy(paired.types),
            pair_labels=torch.from_numpy(paired.labels),
            pair_weight=float(max(1, round(rows.input_ids.shape[1] * self.masking.rate))),
        )


@dataclass(frozen=True, kw_only=True)
class UnilmObjective:
    """Masked tokens, each row under one of four attention masks (Dong et al. 2019, section 2.3).

    Rows read from right to left are stored in reversed order, with their positions.

    Attributes:
        masking: Which tokens are predicted.
        whole_words: Whether whole words are chosen.
        shares: Weights of the masks: both ways, source and target, left to right, right to left.
    """

    masking: Masking
    whole_words: bool
    shares: tuple[float, float, float, float]

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """Inputs and labels; a pure function of rows, seed and sample indices."""
        per_token = token_segments(rows)
        tokens = Tokens(rows.input_ids.astype(np.int64), per_token.document, per_token.segment)
        words = rows.extra["word_starts"] if self.whole_words else None
        read, labels = _mask(self.masking, tokens, words, rows, seed)
        number = self.chosen(seed, rows)
        draw = uniform(seed, rows.sample_index, 1, stream="source")[:, 0]
        source = 1 + (draw * np.maximum(tokens.counts - 1, 0)).astype(np.int64)
        order = np.arange(tokens.ids.shape[1])
        visible = (number == 0)[:, None] | ((number == 1)[:, None] & (order < source[:, None]))
        turned = number == 3
        arrays = [read.ids, read.document, labels, read.segment, per_token.positions]
        ids, document, labels, segment, positions = (
            np.where(turned[:, None], array[:, ::-1], array) for array in arrays
        )
        return make_batch(
            rows,
            Tokens(ids, document, segment),
            labels=labels,
            segment=segment,
            positions=positions,
            visible=torch.from_numpy(np.broadcast_to(visible, ids.shape).copy()),
        )

    def chosen(self, seed: int, rows: PackedRows) -> np.ndarray:
        """Index [B] of the attention mask of each row, in the order of `shares`."""
        borders = np.cumsum(self.shares) / sum(self.shares)
        draw = uniform(seed, rows.sample_index, 1, stream="attention")[:, 0]
        return np.minimum(np.searchsorted(borders, draw, side="right"), len(borders) - 1)


def _mask(
    masking: Masking, tokens: Tokens, words: np.ndarray | None, rows: PackedRows, seed: int
) -> tuple[Tokens, np.ndarray]:
    """The tokens that the model reads, and the labels [B, T]."""
    chosen = masking.chosen(seed, rows.sample_index, tokens, words)
    ids = masking.read(seed, rows.sample_index, tokens, chosen)
    return tokens.with_ids(ids), np.where(chosen, tokens.ids, NO_LABEL)
