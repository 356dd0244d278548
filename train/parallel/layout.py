"""A layout: how a global batch becomes gradients on this world. The loop sees only this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from train.batch.batch import LossSums
from train.batch.losses import LossMeter, StepTotals
from train.data.cursor import RankShare
from train.distributed.seeds import seed_microbatch
from train.distributed.world import World
from train.optim.clipping import scale_gradients
from train.parallel.gradients import GradientSums


class MicroBatchLike(Protocol):
    """The parts of a micro-batch that a layout needs."""

    step: int
    number: int
    content: Any


class Layout(Protocol):
    """What the loop asks of a layout.

    Of the ranks that read the same rows, `copies` count each loss; of what a rank counts as it reads,
    `readers` times as many do.
    """

    parts: Sequence[nn.Module]
    share: RankShare
    copies: int
    readers: int

    def accumulate(
        self, batches: Iterator[Any], meter: LossMeter, *, backward_scale: float
    ) -> None:
        """Forward and backward of this rank's micro-batches; gradients are of sums, not means."""

    def total(self, meter: LossMeter, *, stop_asked: bool) -> StepTotals:
        """Sums over the ranks that read data."""

    def evaluate(self, batch: Any) -> LossSums | None:
        """Sums of one batch; None on ranks where another one counts them."""

    def reduce_gradients(self) -> list[Tensor]:
        """Sum the gradients over the replicas and return them, one per parameter."""

    def norm(self, gradients: Sequence[Tensor]) -> Tensor:
        """The norm of the whole gradient, equal on every rank."""


@dataclass(kw_only=True)
class DataLayout:
    """Ranks that each do a forward and backward pass of the whole model, however it is sharded.

    Attributes:
        share: Which rows this rank reads.
        sums: Over which ranks each gradient is summed.
        copies: Ranks that read the same rows: each counts its losses once.
        is_alone: This rank steps by the mean of its own rows and meets the others elsewhere.
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
    _others: float = 1.0

    def __post_init__(self) -> None:
        self.parts = (self.model,)

    def accumulate(
        self, batches: Iterator[Any], meter: LossMeter, *, backward_scale: float
    ) -> None:
        """See `Layout`."""
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
            meter.add(sums.loss_by_source.detach(), sums.labels_by_source)
            if isinstance(sums, LossSums) and sums.pair_loss is not None and sums.pairs is not None:
                meter.add_pairs(sums.pair_loss, sums.pairs)

    def evaluate(self, batch: Any) -> LossSums | None:
        """See `Layout`."""
        with self._precision():
            return self.model(batch)  # type: ignore[no-any-return]

    def total(self, meter: LossMeter, *, stop_asked: bool) -> StepTotals:
        """See `Layout`."""
        own = meter.labels
        totals = meter.total(self.world, copies=self.copies, stop_asked=stop_asked)
        self._others = totals.labels / max(own, 1.0) if self.is_alone else 1.0
        return totals

    def reduce_gradients(self) -> list[Tensor]:
        """See `Layout`."""
        gradients = self.sums.reduce(self.parts)
        if self._others != 1.0:
            # The loop divides by the labels of all ranks; alone, by the own ones.
            scale_gradients(gradients, self._others)
        return gradients

    def norm(self, gradients: Sequence[Tensor]) -> Tensor:
        """See `Layout`."""
        return self.sums.norm(gradients)

    def _precision(self) -> AbstractContextManager[Any]:
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(self.world.device.type, dtype=self.autocast)
