"""Loss and bits per byte on the held-out split, per source.

Bits per byte are given where every token is predicted exactly once, from what stands before it:
under the causal objective. First tokens of documents are predicted behind the mark that training
sees there. Where a part of the tokens is predicted, or is read as well, the figure would say nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from schemas.manifest import Split
from train.batch.losses import LossMeter, StepTotals
from train.data.cursor import Int64s, RankShare, rank_samples
from train.data.loader import SplitReader
from train.data.packed import PackedRows
from train.distributed.world import World
from train.objectives.causal import CausalObjective, FirstTokens


class Evaluates(Protocol):
    """The part of a parallel strategy that evaluation needs."""

    share: RankShare
    copies: int

    def evaluate(self, batch: Any) -> Any:
        """Sums of one batch; None on ranks where another one counts them."""


@dataclass(frozen=True, kw_only=True)
class HeldoutLoss:
    """Sums over the held-out split.

    Attributes:
        totals: Losses and labels.
        bytes_by_source: UTF-8 bytes of the text that the labels are; None where they are not the
            whole text of the split.
    """

    totals: StepTotals
    bytes_by_source: dict[str, int] | None

    @property
    def is_finite(self) -> bool:
        """Whether the loss is a number."""
        return math.isfinite(self.totals.loss)

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


@dataclass(frozen=True, kw_only=True)
class EvaluationBatches:
    """How rows become batches of an evaluation.

    Attributes:
        make_batch: The objective, without augmentation.
        causal: The objective where it is the causal one: it predicts every token once.
    """

    make_batch: Callable[[PackedRows], Any]
    causal: CausalObjective | None = None


@torch.no_grad()
def heldout_loss(
    model: nn.Module,
    data: SplitReader,
    batches: EvaluationBatches,
    world: World,
    *,
    microbatch: int,
    rows: Int64s | None = None,
    strategy: Evaluates | None = None,
) -> HeldoutLoss:
    """Read the split once, each rank its share; the model's training mode is put back.

    Args:
        model: Computes the sums of a batch, unless there is a `strategy`.
        data: The held-out split.
        batches: The objective, which makes a batch of packed rows.
        world: All ranks; the sums are over them.
        microbatch: Rows per forward pass.
        rows: Numbers of the rows to read; None: the whole split.
        strategy: How several ranks share the model; by default each rank has a whole one.
    """
    split = data.manifest.heldout
    chosen = np.arange(split.rows, dtype=np.int64) if rows is None else rows
    share = RankShare(rank=world.rank, ranks=world.size)
    if strategy is not None:
        share = replace(strategy.share, block=None)  # evaluations deal out their rows one by one
    evaluate = model if strategy is None else strategy.evaluate
    meter = LossMeter(data.sources, world.device)
    was_training = model.training
    model.eval()
    try:
        for batch, is_counted in _batches(data, batches, chosen, share, microbatch=microbatch):
            sums = evaluate(batch)
            if is_counted and sums is not None:
                meter.add(sums.loss_by_source, sums.labels_by_source)
    finally:
        model.train(was_training)
    data.reader.close()
    copies = 1 if strategy is None else strategy.copies
    totals = meter.total(world, stop_asked=False, copies=copies)
    is_whole = len(chosen) == split.rows and batches.causal is not None
    return HeldoutLoss(totals=totals, bytes_by_source=_bytes(split) if is_whole else None)


def _batches(
    data: SplitReader,
    batches: EvaluationBatches,
    chosen: Int64s,
    share: RankShare,
    *,
    microbatch: int,
) -> Iterator[tuple[Any, bool]]:
    """Batches of this rank, and whether each is counted.

    Sharded models talk in every forward pass: each rank does as many, the last ones uncounted.
    """
    own = chosen[rank_samples(start=0, count=len(chosen), share=share)]
    passes = -(-len(chosen) // (share.ranks * microbatch))
    firsts = []
    last = None
    for number in range(passes):
        cut = own[number * microbatch : (number + 1) * microbatch]
        last = data.read(cut if len(cut) else chosen[:1])
        if batches.causal is not None and len(cut):
            firsts.append(batches.causal.first_tokens(last))
        yield batches.make_batch(last), bool(len(cut))
    if batches.causal is None or last is None:
        return
    first = FirstTokens(
        ids=np.concatenate([part.ids for part in firsts] or [np.zeros(0, np.int32)]),
        source=np.concatenate([part.source for part in firsts] or [np.zeros(0, np.int32)]),
    )
    # At most one in each row, and some hundred in a row of pairs.
    pairs_a_row = max(1, last.input_ids.shape[1] // 2)
    behind = batches.causal.rows_behind_marks(first, like=last)
    for number in range(-(-passes * microbatch // (pairs_a_row * microbatch))):
        part = behind.part(number * microbatch, (number + 1) * microbatch)
        counted = len(part.input_ids) > 0
        yield batches.make_batch(part if counted else behind.part(0, 1)), counted


def _bytes(split: Split) -> dict[str, int] | None:
    """Bytes by source; None where the rows lack a part of the text, or hold one twice."""
    if any(source.dropped_tokens or source.drawn_tokens for source in split.sources.values()):
        return None
    return {name: source.text_bytes for name, source in sorted(split.sources.items())}
