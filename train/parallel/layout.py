"""A layout: how a global batch becomes gradients on this world. The loop sees only this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.distributed.tensor import DTensor

from train.data.cursor import RankShare
from train.loop.losses import LossMeter, StepTotals
from train.optim.clipping import gradient_norm
from train.parallel.replicas import sum_gradients
from train.parallel.seeds import seed_microbatch
from train.parallel.world import World


class MicroBatchLike(Protocol):
    """The parts of a micro-batch that a layout needs."""

    step: int
    number: int
    content: Any


class Layout(Protocol):
    """What the loop asks of a layout."""

    parts: Sequence[nn.Module]
    share: RankShare

    def accumulate(
        self, batches: Iterator[Any], meter: LossMeter, *, backward_scale: float
    ) -> None:
        """Forward and backward of this rank's micro-batches; gradients are of sums, not means."""

    def total(self, meter: LossMeter, *, stop_asked: bool) -> StepTotals:
        """Sums over the ranks that read data."""

    def reduce_gradients(self) -> list[Tensor]:
        """Sum the gradients over the replicas and return them, one per parameter."""

    def norm(self, gradients: Sequence[Tensor]) -> Tensor:
        """The norm of the whole gradient, equal on every rank."""


@dataclass(kw_only=True)
class DataLayout:
    """Ranks that each do a forward and backward pass of the whole model, however it is sharded.

    Attributes:
        group: Ranks that hold the same part of the weights and read other rows; all by default.
        ranks: Which rows this rank reads; by default all ranks read different ones.
        sums_gradients: Sum them here, in one flat buffer; false where FSDP already did.
    """

    model: nn.Module
    world: World
    seed: int
    autocast: torch.dtype | None = None
    group: ProcessGroup | None = None
    ranks: RankShare | None = None
    sums_gradients: bool = True
    parts: Sequence[nn.Module] = field(init=False)
    share: RankShare = field(init=False)

    def __post_init__(self) -> None:
        self.parts = (self.model,)
        self.share = self.ranks or RankShare(rank=self.world.rank, ranks=self.world.size)

    @property
    def copies(self) -> int:
        """Ranks that read the same rows: each counts its losses once."""
        return self.world.size // self.share.ranks

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

    def total(self, meter: LossMeter, *, stop_asked: bool) -> StepTotals:
        """See `Layout`."""
        return meter.total(self.world, copies=self.copies, stop_asked=stop_asked)

    def reduce_gradients(self) -> list[Tensor]:
        """See `Layout`."""
        gradients = filled_gradients(self.parts)
        if self.sums_gradients and self.share.ranks > 1:
            sum_gradients([local_part(gradient) for gradient in gradients], self.group)
        return gradients

    def norm(self, gradients: Sequence[Tensor]) -> Tensor:
        """See `Layout`."""
        return gradient_norm(gradients)

    def _precision(self) -> AbstractContextManager[Any]:
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(self.world.device.type, dtype=self.autocast)


def filled_gradients(parts: Sequence[nn.Module]) -> list[Tensor]:
    """Gradients in the order of the parameters, zero where a rank had no rows this step."""
    gradients: list[Tensor] = []
    for part in parts:
        for parameter in part.parameters():
            if not parameter.requires_grad:
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
    return gradients


def local_part(tensor: Tensor) -> Tensor:
    """What this rank holds of a tensor."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
