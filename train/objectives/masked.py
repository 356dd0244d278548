"""BERT's masked tokens: 15 % are predicted, of them 80 % masked, 10 % random, 10 % kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from schemas.manifest import SpecialIds
from train.batch import NO_LABEL, Batch
from train.data.packed import PackedRows
from train.objectives.config import MaskedConfig
from train.objectives.randomness import uniform
from train.objectives.rows import token_places


@dataclass(frozen=True, kw_only=True)
class MaskedObjective:
    """Control tokens are never chosen; a row with any other token has at least one label."""

    config: MaskedConfig
    special: SpecialIds
    vocab_size: int

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """Inputs and labels; a pure function of rows, seed and sample indices."""
        places = token_places(rows)
        ids = rows.input_ids.astype(np.int64)
        special = self.special
        control = [special.pad, special.eos, special.bos, special.cls, special.sep, special.mask]
        eligible = places.document > 0
        eligible &= ~np.isin(ids, [mark for mark in control if mark is not None])
        order, kind, other = uniform(seed, rows.sample_index, 3, ids.shape[1]).swapaxes(0, 1)
        num_eligible = eligible.sum(1)
        wanted = np.maximum(1, np.rint(num_eligible * self.config.rate).astype(np.int64))
        ranks = np.where(eligible, order, 2.0).argsort(1).argsort(1)
        chosen = eligible & (ranks < wanted[:, None])
        masked = chosen & (kind < self.config.masked_fraction)
        limit = self.config.masked_fraction + self.config.random_fraction
        randomised = chosen & ~masked & (kind < limit)
        assert special.mask is not None  # build_objective refuses tokenizers without it
        inputs = np.where(masked, special.mask, ids)
        inputs = np.where(randomised, (other * self.vocab_size).astype(np.int64), inputs)
        return Batch(
            input_ids=torch.from_numpy(inputs),
            labels=torch.from_numpy(np.where(chosen, ids, NO_LABEL)),
            document=torch.from_numpy(places.document),
            positions=torch.from_numpy(places.positions),
            segment=torch.from_numpy(places.segment),
            segment_source=torch.from_numpy(rows.segment_source.astype(np.int64)),
            num_sources=len(rows.sources),
            is_whole=bool((places.document == 1).all()),
        )
