"""One update: accumulate, reduce, clip, step. It knows no parallel strategy and no family of models."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from schemas.errors import PipelineError
from train.batch.losses import LossMeter, StepTotals, WorstRow
from train.distributed.world import World
from train.loop.certificate import Consumed
from train.loop.guard import Decision, SpikeGuard
from train.loop.interventions import Interventions
from train.loop.plan import RunPlan, StepSpan
from train.loop.scaler import LossScaler
from train.optim.clipping import clip_gradients
from train.optim.config import ScheduleConfig
from train.optim.schedules import learning_rate
from train.parallel.strategy import Strategy
from train.sections import section
from train.stability.monitor import Readings

logger = logging.getLogger(__name__)


class NotFiniteError(PipelineError):
    """A step whose gradient is no number; all ranks raise it together."""


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """What one forward pass takes.

    Attributes:
        number: Number of the micro-batch within the step of this rank.
        rows: Number of rows.
        samples: [rows] their numbers in the order of the run.
        tokens_by_source: [O] tokens of the rows as they were packed, by source.
        content: What the objective made of the rows.
    """

    step: int
    number: int
    rows: int
    samples: Tensor
    tokens_by_source: Tensor
    content: Any

    def counted(self, meter: LossMeter, *, readers: int) -> MicroBatch:
        """Add its tokens to the meter; returns the micro-batch itself."""
        meter.add_tokens(self.tokens_by_source, readers=readers)
        return self


@dataclass(frozen=True, kw_only=True)
class StepOutcome:
    """What an update did.

    Attributes:
        loss_scale: The scale of fp16 after the step; None for other numbers.
        is_skipped: Whether the weights stayed as they were: a gradient overflowed, or a spike was skipped.
        decision: What is done about a spike; None where there was none.
    """

    span: StepSpan
    totals: StepTotals
    grad_norm: float
    lr: float
    loss_scale: float | None
    is_skipped: bool
    seconds: float
    decision: Decision | None = None


class Closes(Protocol):
    """Something that is closed."""

    def close(self) -> None: ...


class TakesOver(Protocol):
    """Goes on with a step where a rank is lost in it.

    Attributes:
        stream: What reads ahead; it is closed before rows are read beside it.
        has_fewer: Whether ranks were lost since rows were last dealt out.
        record: The figures of the last step that was done.
        unwritten: The same, on a rank that became the first one: the lost one may not have written them.
    """

    stream: Closes | None
    has_fewer: bool
    record: dict[str, Any] | None
    unwritten: dict[str, Any] | None

    def __call__(
        self, span: StepSpan, error: RuntimeError, *, has_sums: bool
    ) -> Iterator[MicroBatch] | None:
        """Meet the ranks that are left.

        Args:
            span: The step that this rank is in.
            error: What told it that a rank is lost.
            has_sums: Whether this rank has the sums of the step.

        Returns:
            The micro-batches that this rank does for the lost ones; None where its sums hold, since another
            rank has made its update by them.

        Raises:
            StepBegunAgain: Another rank is still in the step before.
            RuntimeError: It is none of a lost rank, or nobody says who goes on: the error itself.
        """


class StepBegunAgain(Exception):  # noqa: N818 - no error: the step begins again with the ranks that are left
    """A rank leaves a step that others have not come to, before it has changed anything."""


@dataclass(frozen=True, kw_only=True)
class _Summed:
    """What the ranks have in common before an update.

    Attributes:
        norm: Of the mean gradient.
        worst: The worst row of the step; None where rows are not looked at.
    """

    totals: StepTotals
    gradients: Sequence[Tensor]
    norm: Tensor
    worst: WorstRow | None


@dataclass(kw_only=True)
class Trainer:
    """Everything that an update needs.

    Attributes:
        max_grad_norm: Gradients are clipped to this norm; None: never.
        scaler: The loss scale of fp16; None for other numbers.
        guard: Judges each step before its update; None: only gradients that are no numbers end the run.
        interventions: What was decided about the run's course so far.
        consumed: What the steps have read so far.
        has_request: Whether this rank sees a request for other settings.
        take_over: Goes on without a lost rank; None: the step fails.
        check: Looks for wrong bits before gradients are added, with the factor of each loss; None: nobody does.
        before_step: Prepares the model for a step, where it is not the same in every one.
        step: The next step to do.
    """

    plan: RunPlan
    schedule: ScheduleConfig
    max_grad_norm: float | None
    strategy: Strategy
    optimizer: torch.optim.Optimizer
    world: World
    sources: tuple[str, ...]
    scaler: LossScaler | None
    guard: SpikeGuard | None = None
    interventions: Interventions = field(default_factory=Interventions)
    consumed: Consumed = field(default_factory=Consumed)
    has_request: Callable[[], bool] = lambda: False
    take_over: TakesOver | None = None
    check: Callable[[StepSpan, float], None] | None = None
    before_step: Callable[[int], None] = lambda step: None
    step: int = 0

    def take_course(self, interventions: Interventions) -> None:
        """Go on by what was decided; batches that are jumped over change the plan."""
        self.interventions = interventions
        self.plan = replace(self.plan, skips=interventions.skips)

    def update(
        self, microbatches: Callable[[StepSpan], Iterator[MicroBatch]], *, stop_asked: bool
    ) -> StepOutcome:
        """Do one optimizer step on the global batch of `step`."""
        started = time.perf_counter()
        span = self.plan.span(self.step)
        self.before_step(self.step)
        rate = learning_rate(self.plan.progress(self.step), self.schedule)
        rate *= self.interventions.rate_factor(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        self.optimizer.zero_grad(set_to_none=True)
        meter = LossMeter(
            self.sources,
            self.world.device,
            keeps_rows=self.guard is not None and self.guard.config.reads_rows,
        )
        summed = self._sum(microbatches(span), meter, span, stop_asked=stop_asked)
        with section("step", step=self.step):
            is_skipped = self._has_overflowed(summed.norm, span)
            decision = None if is_skipped else self._judge(span, summed)
            is_skipped |= decision is not None and decision.skips_update
            if not is_skipped:
                self._apply(summed.gradients, summed.norm)
        self.consumed.count(summed.totals, is_skipped=is_skipped)
        outcome = StepOutcome(
            span=span,
            totals=summed.totals,
            grad_norm=float(summed.norm),
            lr=rate,
            loss_scale=self.scaler.scale if self.scaler else None,
            is_skipped=is_skipped,
            seconds=time.perf_counter() - started,
            decision=decision,
        )
        self.step += 1
        if decision is not None and self.guard is not None:
            self.take_course(self.guard.after(decision, self.interventions, self.plan))
        return outcome

    def _sum(
        self, items: Iterator[MicroBatch], meter: LossMeter, span: StepSpan, *, stop_asked: bool
    ) -> _Summed:
        """Forward, backward and the sums over all ranks, also where one is lost meanwhile."""
        scale, readers, summed = self._backward_scale(span), self.strategy.readers, None
        check = self.check
        while True:
            counted = (item.counted(meter, readers=readers) for item in items)
            try:
                with section("forward-backward", step=self.step):
                    self.strategy.accumulate(counted, meter, backward_scale=scale)
                with section("reduce", step=self.step):
                    if check is not None:
                        check(span, scale)
                    summed = self._reduce(meter, scale, stop_asked=stop_asked)
                    if self.take_over is not None:
                        self.world.barrier()  # nobody makes the update before all have its sums
                return summed
            except RuntimeError as error:
                if self.take_over is None:
                    raise
                more = self.take_over(span, error, has_sums=summed is not None)
            if more is None and summed is not None:
                return summed
            check = None  # who was lost may have been named
            items = more or iter(())

    def _reduce(self, meter: LossMeter, backward_scale: float, *, stop_asked: bool) -> _Summed:
        """What all ranks have together; all of them call it."""
        meter.sums.requests.fill_(float(self.has_request()))
        totals = self.strategy.total(meter, stop_asked=stop_asked)
        reduced = self.strategy.reduce_gradients(totals)
        reduced.scale(1.0 / (max(totals.labels, 1.0) * backward_scale))
        worst = meter.worst_row(self.world)
        return _Summed(totals=totals, gradients=reduced.tensors, norm=reduced.norm(), worst=worst)

    def _backward_scale(self, span: StepSpan) -> float:
        """Sums are large for fp16: there the loss is divided by the batch before it is scaled."""
        if self.scaler is None:
            return 1.0
        return self.scaler.scale / (span.count * self.plan.seq_len)

    def _has_overflowed(self, norm: Tensor, span: StepSpan) -> bool:
        """Whether the update is left out for an overflow of fp16, which a smaller loss scale meets."""
        if self.scaler is None:
            return False
        is_finite = bool(torch.isfinite(norm))
        can_shrink = not self.scaler.is_smallest
        self.scaler.observe(is_finite=is_finite)
        if is_finite or not can_shrink:
            return False
        logger.warning(
            "step %d skipped: its gradient overflowed fp16; the loss scale is now %g",
            span.step,
            self.scaler.scale,
        )
        return True

    def _judge(self, span: StepSpan, summed: _Summed) -> Decision | None:
        """Ask the guard about the step.

        Raises:
            NotFiniteError: The gradient is no number, and no guard says what to do about it.
            SpikeError: The guard ends the run.
        """
        norm, worst = summed.norm, summed.worst
        is_finite = bool(torch.isfinite(norm))
        if self.guard is None or (not is_finite and self.guard.config.not_finite == "stop"):
            if is_finite:
                return None
            at = "" if self.scaler is None else " at the smallest loss scale of fp16"
            raise NotFiniteError(
                f"step {span.step}: the gradient norm is {float(norm)}{at}; samples {span.start} to "
                f"{span.start + span.count - 1} (python -m train trace --step {span.step})",
                entity=f"step {span.step}",
            )
        readings = Readings(
            loss=summed.totals.mean,
            grad_norm=float(norm),
            row_loss=worst.loss if worst else None,
            row_sample=worst.sample if worst else None,
        )
        return self.guard.judge(span.step, readings, taken=self.interventions.actions)

    def _apply(self, gradients: Sequence[Tensor], norm: Tensor) -> None:
        if self.max_grad_norm is not None:
            clip_gradients(gradients, norm, self.max_grad_norm)
        self.optimizer.step()
