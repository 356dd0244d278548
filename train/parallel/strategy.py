"""A parallel strategy: how the ranks make gradients of a global batch. The loop sees only this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from train.batch.batch import LossSums
from train.batch.losses import LossMeter, StepTotals
from train.data.cursor import RankShare
from train.distributed.precision import computing_in
from train.distributed.seeds import seed_microbatch
from train.distributed.world import World
from train.parallel.gradients import GradientSums, ReducedGradients


class Strategy(Protocol):
    """What the loop asks of a parallel strategy.

    Attributes:
        parts: The modules of the model that this rank holds.
        share: Which rows of a global batch this rank reads.
        copies: Number of ranks that count the same loss; sums of losses are divided by it.
        readers: Number of ranks, for each rank that counts a loss, that read its rows and count
            their tokens; counts of tokens are divided by it.
    """

    parts: Sequence[nn.Module]
    share: RankShare
    copies: int
    readers: int

    def accumulate(
        self, batches: Iterator[Any], meter: LossMeter, *, backward_scale: float
    ) -> None:
        """Forward and backward of this rank's micro-batches; gradients are of sums, not means.

        Args:
            batches: The micro-batches of one step.
            meter: The losses are added to it.
            backward_scale: Factor of each loss before its backward pass.
        """

    def total(self, meter: LossMeter, *, stop_asked: bool) -> StepTotals:
        """Sum what the meters of all ranks counted."""

    def evaluate(self, batch: Any) -> LossSums | None:
        """The losses of one batch; None on a rank whose losses another rank counts."""

    def reduce_gradients(self, totals: StepTotals) -> ReducedGradients:
        """Sum the gradients over the replicas.

        Divided by `totals.labels` they are those of the mean loss per label.
        """


def count_losses(meter: LossMeter, sums: Any, batch: Any) -> None:
    """Add what a model gave for a micro-batch to the meter."""
    meter.add(sums.loss_by_source.detach(), sums.labels_by_source)
    if not isinstance(sums, LossSums):
        return  # a model of the user's own has no rows and no pairs
    if meter.keeps_rows:
        meter.add_rows(sums.row_means(batch.content), batch.samples)
    if sums.pair_loss is not None and sums.pairs is not None:
        meter.add_pairs(sums.pair_loss, sums.pairs)


@dataclass(kw_only=True)
class DataParallelStrategy:
    """Each rank does forward and backward of the whole model, however its weights are sharded.

    Attributes:
        sums: Over which ranks each gradient is summed.
        autocast: The type that forward passes compute in; None: that of the weights.
        is_alone: Whether this rank steps by the mean of its own rows (DiLoCo).
    """

    model: nn.Module
    world: World
    seed: int
    share: RankShare
    sums: GradientSums
    copies: int = 1
    autocast: torch.dtype | None = None
    is_alone: bool = False
    readers: int = 1
    parts: Sequence[nn.Module] = field(init=False)

    def __post_init__(self) -> None:
        self.parts = (self.model,)

    def accumulate(
        self, batches: Iterator[Any], meter: LossMeter, *, backward_scale: float
    ) -> None:
        for batch in batches:
            seed_microbatch(
                seed=self.seed,
                step=batch.step,
                microbatch=batch.number,
                data_rank=self.share.rank,
            )
            with self._precision():
                sums = self.model(batch.content)
            (sums.loss * backward_scale).backward()
            count_losses(meter, sums, batch)

    def evaluate(self, batch: Any) -> LossSums | None:
        with self._precision():
            return self.model(batch)  # type: ignore[no-any-return]

    def total(self, meter: LossMeter, *, stop_asked: bool) -> StepTotals:
        return meter.total(self.world, copies=self.copies, stop_asked=stop_asked)

    def reduce_gradients(self, totals: StepTotals) -> ReducedGradients:
        reduced = self.sums.reduce(self.parts)
        if self.is_alone:
            # The loop divides by the labels of all ranks; a rank alone summed over its own.
            reduced.scale(totals.labels / max(totals.own_labels, 1.0))
        return reduced

    def _precision(self) -> AbstractContextManager[Any]:
        return computing_in(self.autocast, self.world.device)
