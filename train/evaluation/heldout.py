"""Loss and bits per byte on the held-out split, per source."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from schemas.manifest import Split
from train.batch.losses import LossMeter, StepTotals
from train.data.cursor import RankShare, rank_samples
from train.data.loader import SplitReader
from train.data.packed import PackedRows
from train.distributed.world import World


class Evaluates(Protocol):
    """The part of a parallel strategy that evaluation needs."""

    share: RankShare
    copies: int

    def evaluate(self, batch: Any) -> Any:
        """Sums of one batch; None on ranks where another one counts them."""


@dataclass(frozen=True, kw_only=True)
class HeldoutLoss:
    """Sums over the held-out split; bits per byte are None where not the whole split was read."""

    totals: StepTotals
    bytes_by_source: dict[str, int] | None

    def as_dict(self) -> dict[str, Any]:
        """Loss (nats per label), perplexity and bits per byte: over all, and per source."""
        means = self.totals.means_by_source()
        sources = {
            name: _figures(
                self.totals.loss_by_source[name],
                self.totals.labels_by_source[name],
                None if self.bytes_by_source is None else self.bytes_by_source[name],
            )
            for name in means
        }
        whole = None if self.bytes_by_source is None else sum(self.bytes_by_source.values())
        return {**_figures(self.totals.loss, self.totals.labels, whole), "sources": sources}


def _figures(loss: float, labels: float, text_bytes: int | None) -> dict[str, Any]:
    mean = loss / max(labels, 1.0)
    bits = None if not text_bytes else loss / math.log(2) / text_bytes
    return {
        "loss": mean,
        "perplexity": math.exp(min(mean, 700.0)),
        "bits_per_byte": bits,
        "labels": int(labels),
        "text_bytes": text_bytes,
    }


@torch.no_grad()
def heldout_loss(
    model: nn.Module,
    data: SplitReader,
    make_batch: Callable[[PackedRows], Any],
    world: World,
    *,
    microbatch: int,
    max_rows: int | None = None,
    strategy: Evaluates | None = None,
) -> HeldoutLoss:
    """Read the split once, each rank its share; the model's training mode is put back.

    Args:
        model: Computes the sums of a batch, unless there is a `strategy`.
        data: The held-out split.
        make_batch: The objective, which makes a batch of packed rows.
        world: All ranks; the sums are over them.
        microbatch: Rows per forward pass.
        max_rows: Read only so many rows.
        strategy: How several ranks share the model; by default each rank has a whole one.
    """
    split = data.manifest.heldout
    count = split.rows if max_rows is None else min(split.rows, max_rows)
    share = RankShare(rank=world.rank, ranks=world.size) if strategy is None else strategy.share
    evaluate = model if strategy is None else strategy.evaluate
    samples = rank_samples(start=0, count=count, share=share)
    meter = LossMeter(data.sources, world.device)
    was_training = model.training
    model.eval()
    try:
        # Sharded models talk in every forward pass: each rank does as many, the last ones unread.
        passes = -(-count // (share.ranks * microbatch))
        for number in range(passes):
            cut = samples[number * microbatch : (number + 1) * microbatch]
            sums = evaluate(make_batch(data.read(cut if len(cut) else np.zeros(1, np.int64))))
            if len(cut) and sums is not None:
                meter.add(sums.loss_by_source, sums.labels_by_source)
    finally:
        model.train(was_training)
    data.reader.close()
    copies = 1 if strategy is None else strategy.copies
    totals = meter.total(world, stop_asked=False, copies=copies)
    return HeldoutLoss(
        totals=totals, bytes_by_source=_bytes(split) if count == split.rows else None
    )


def _bytes(split: Split) -> dict[str, int]:
    return {name: source.text_bytes for name, source in sorted(split.sources.items())}
