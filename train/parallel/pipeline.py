"""Pipelines through torch.distributed.pipelining: a parallel strategy as any other.

Every rank of a pipeline reads the same rows, so each stage has the whole micro-batch: decoder ids
and masks need not travel. Only hidden states do, and a T5's memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import ProcessGroup, pipelining
from torch.distributed.pipelining.schedules import (
    Schedule1F1B,
    ScheduleGPipe,
    ScheduleInterleaved1F1B,
    ScheduleInterleavedZeroBubble,
)

from train.batch.batch import LossSums
from train.batch.losses import LossMeter, StepTotals
from train.data.cursor import RankShare
from train.distributed.precision import computing_in
from train.distributed.seeds import seed_microbatch
from train.distributed.torch_private import run_microbatches
from train.distributed.world import World
from train.parallel.config import ScheduleKind
from train.parallel.gradients import GradientSums, ReducedGradients
from train.parallel.padding import pad_alike
from train.parallel.pipeline_stages import PipelineStage, stage_shapes

Precision = Callable[[], AbstractContextManager[Any]]

SCHEDULES: dict[str, Any] = {
    "gpipe": ScheduleGPipe,
    "1f1b": Schedule1F1B,
    "interleaved": ScheduleInterleaved1F1B,
    "zero_bubble": ScheduleInterleavedZeroBubble,
}


class Border(Protocol):
    """Between two micro-batches a step may be left."""

    def is_asked(self) -> bool:
        """Whether this rank is asked to leave."""

    def leave_together(self, *, has_left: bool) -> None:
        """Raise on all ranks where one of them has left; all call it."""


@dataclass(kw_only=True)
class Leaving:
    """Whether the ranks that have the same stages leave the step, agreed before each forward pass.

    They leave together, for tensor ranks and sharded ones talk within a stage. The other stages need not hear of it: a
    stage that has left answers with zeros, so all messages of the schedule are sent, and none is waited for.

    Attributes:
        group: The ranks that have the same stages; None for a rank alone.
        border: Says whether this rank is asked to.
    """

    group: ProcessGroup | None = None
    border: Border | None = None
    has_left: bool = False

    def is_agreed(self) -> bool:
        """Whether one of the ranks is asked to leave; once they have left, they stay so for the step."""
        if self.border is None or self.has_left:
            return self.has_left
        asked: Any = torch.tensor([self.border.is_asked()], dtype=torch.int64)
        if self.group is not None:
            dist.all_reduce(asked, op=dist.ReduceOp.MAX, group=self.group)
        self.has_left = bool(asked)
        return self.has_left


@dataclass(frozen=True, kw_only=True)
class _InFlight:
    """A micro-batch on its way through the pipeline, with what its losses are for.

    Attributes:
        number: Number of the micro-batch within the step.
        content: What the objective made, padded as all others of the step.
        meter: Where the last pipeline stage adds the losses.
        backward_scale: Factor of the loss before the backward pass.
    """

    step: int
    number: int
    content: Any
    meter: LossMeter
    backward_scale: float


class _Runner(nn.Module):
    """A pipeline stage as torch's schedules call it: tensors in, tensors out."""

    def __init__(
        self,
        stage: PipelineStage,
        *,
        seed: int,
        data_rank: int,
        precision: Precision,
        leaving: Leaving,
    ) -> None:
        super().__init__()
        self.stage, self._leaving = stage, leaving
        self._seed, self._data_rank, self._precision = seed, data_rank, precision

    def forward(self, *received: Tensor, item: _InFlight) -> Any:
        if self._leaving.is_agreed():
            return self._nothing(received, item)
        seed_microbatch(
            seed=self._seed,
            step=item.step,
            microbatch=item.number,
            data_rank=self._data_rank,
            stage=self.stage.cut.index,
        )
        with self._precision():
            out = self.stage(received[0], item.content, *received[1:])
        if isinstance(out, LossSums):
            item.meter.add(out.loss_by_source.detach(), out.labels_by_source)
            if out.pair_loss is not None and out.pairs is not None:
                item.meter.add_pairs(out.pair_loss, out.pairs)
            return out.loss * item.backward_scale
        return out

    def _nothing(self, received: tuple[Tensor, ...], item: _InFlight) -> Any:
        """Zeros in the shapes that the next stage waits for, whose gradients are zeros as well."""
        first = [tensor.flatten()[0] for tensor in received if tensor.requires_grad]
        dtype = next(self.stage.parameters()).dtype
        zero = torch.zeros((), dtype=dtype, device=received[0].device, requires_grad=not first)
        for one in first:
            zero = zero + 0 * one
        if self.stage.cut.is_last:
            return zero
        model: Any = self.stage.model
        _, leaves = stage_shapes(model, self.stage.cut, batch=item.content)
        made = tuple(zero.expand(shape).clone() for shape in leaves)
        return made if len(made) > 1 else made[0]


@dataclass(kw_only=True)
class PipelineStrategy:
    """The pipeline stages of this rank; see `train.parallel.strategy.Strategy`.

    Attributes:
        model: The modules that this rank's stages use, under their logical names.
        stages: The pipeline stages of this rank, in order.
        kind: The order in which a step's micro-batches go through the pipeline.
        group: The ranks of this pipeline.
        rank_of_stage: For each pipeline stage, the rank within `group` that has it.
        sums: Over which ranks each gradient is summed.
        autocast: The type that forward passes compute in; None: that of the weights.
        leaving: The ranks that have the same stages, which leave a step together.
    """

    model: nn.Module
    stages: Sequence[PipelineStage]
    world: World
    seed: int
    kind: ScheduleKind
    group: ProcessGroup
    rank_of_stage: Sequence[int]
    share: RankShare
    sums: GradientSums
    copies: int
    autocast: torch.dtype | None = None
    leaving: Leaving = field(default_factory=Leaving)
    parts: Sequence[nn.Module] = field(init=False)
    readers: int = field(init=False)
    _schedules: dict[tuple[Any, ...], Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parts = (self.model,)
        self.readers = dist.get_world_size(self.group)  # the last stage alone counts losses
        self._runners = [
            _Runner(
                stage,
                seed=self.seed,
                data_rank=self.share.rank,
                precision=self._precision,
                leaving=self.leaving,
            )
            for stage in self.stages
        ]

    def _precision(self) -> AbstractContextManager[Any]:
        return computing_in(self.autocast, self.world.device)

    def accumulate(
        self, batches: Iterator[Any], meter: LossMeter, *, backward_scale: float
    ) -> None:
        """See `Strategy`; all micro-batches of a step are in the pipeline at once.

        A rank that is asked to leave between two of them computes no more; the schedule runs on with zeros, and all
        ranks leave when it is through. So they wait for what is in flight alone: with `1f1b` as many micro-batches as there
        are stages, with `gpipe` the backward passes of what went forward.
        """
        items = list(batches)
        if not items:
            return
        self.leaving.has_left = False
        contents = pad_alike([item.content for item in items])
        in_flight = [
            _InFlight(
                step=item.step,
                number=item.number,
                content=content,
                meter=meter,
                backward_scale=backward_scale,
            )
            for item, content in zip(items, contents, strict=True)
        ]
        schedule = self._schedule(len(items), contents[0])
        nothing = torch.zeros(1, device=self.world.device)
        named = [{"item": item} for item in in_flight]
        run_microbatches(schedule, [(nothing,)] * len(items), named)
        if self.leaving.border is not None:
            self.leaving.border.leave_together(has_left=self.leaving.has_left)

    def _schedule(self, count: int, batch: Any) -> Any:
        key = (count, batch.input_ids.shape, batch.labels.shape)
        if key not in self._schedules:
            stages = [self._torch_stage(runner, batch) for runner in self._runners]
            taken = stages if self.kind in ("interleaved", "zero_bubble") else stages[0]
            self._schedules[key] = SCHEDULES[self.kind](
                taken, count, loss_fn=lambda loss, _: loss, scale_grads=False
            )
        return self._schedules[key]

    def _torch_stage(self, runner: _Runner, batch: Any) -> pipelining.PipelineStage:
        cut = runner.stage.cut
        comes, leaves = stage_shapes(self.model, cut, batch=batch)
        dtype = next(self.model.parameters()).dtype
        made = [torch.empty(shape, dtype=dtype, device="meta") for shape in comes]
        given = [torch.empty(shape, dtype=dtype, device="meta") for shape in leaves]
        nothing = torch.empty(1, device="meta")
        return pipelining.PipelineStage(
            runner,
            cut.index,
            cut.num_stages,
            self.world.device,
            input_args=(nothing,) if cut.is_first else tuple(t.requires_grad_() for t in made),
            output_args=(torch.empty((), dtype=dtype, device="meta").requires_grad_(),)
            if cut.is_last
            else tuple(t.requires_grad_() for t in given),
            group=self.group,
        )

    def evaluate(self, batch: Any) -> LossSums | None:
        """Sums of one batch on the rank of the last stage, None on the others."""
        rank = dist.get_rank(self.group)
        at_hand: tuple[Tensor, ...] = (torch.zeros(1, device=self.world.device),)
        mine = {stage.cut.index: stage for stage in self.stages}
        for index, owner in enumerate(self.rank_of_stage):
            if owner != rank:
                continue
            stage = mine[index]
            if index > 0 and self.rank_of_stage[index - 1] != rank:
                at_hand = self._receive(stage, batch)
            with self._precision():
                out = stage(at_hand[0], batch, *at_hand[1:])
            if isinstance(out, LossSums):
                return out
            at_hand = out if isinstance(out, tuple) else (out,)
            following = self.rank_of_stage[index + 1]
            if following != rank:
                for tensor in at_hand:
                    dist.send(tensor.contiguous(), group=self.group, group_dst=following)
        return None

    def _receive(self, stage: PipelineStage, batch: Any) -> tuple[Tensor, ...]:
        comes, _ = stage_shapes(self.model, stage.cut, batch=batch)
        dtype = next(self.model.parameters()).dtype
        tensors = tuple(
            torch.empty(shape, dtype=dtype, device=self.world.device) for shape in comes
        )
        before = self.rank_of_stage[stage.cut.index - 1]
        for tensor in tensors:
            dist.recv(tensor, group=self.group, group_src=before)
        return tensors

    def total(self, meter: LossMeter, *, stop_asked: bool) -> StepTotals:
        return meter.total(self.world, copies=self.copies, stop_asked=stop_asked)

    def reduce_gradients(self, totals: StepTotals) -> ReducedGradients:
        return self.sums.reduce(self.parts)
