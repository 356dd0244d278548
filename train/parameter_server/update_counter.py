"""Updates of a parameter server, gathered into the steps of the metrics."""

from __future__ import annotations

import time
from typing import Any

from train.batch.losses import LossMeter, StepSums
from train.loop.records import step_record
from train.loop.trainer import StepOutcome, Trainer
from train.parameter_server.server import Update
from train.report.speed import ModelSpeed


class UpdateCounter:
    """Adds up the gradients of a step for its line of metrics.

    Attributes:
        gradients: Number of gradients of the step so far.
    """

    def __init__(self, trainer: Trainer, speed: ModelSpeed) -> None:
        self._trainer, self._speed = trainer, speed
        self._began = time.perf_counter()
        self._begin()

    def _begin(self) -> None:
        self._meter = LossMeter(self._trainer.sources, self._trainer.world.device)
        self._waited_seconds = 0.0
        self.gradients = 0
        self._last: Update | None = None

    def add(self, update: Update) -> None:
        """Count one update of the server."""
        num_sources = len(self._trainer.sources)
        self._meter.sums.add_(StepSums.unpack(update.tally.sums, num_sources))
        self._waited_seconds += update.tally.waited_seconds
        self.gradients += update.gradients
        self._last = update

    def close_step(self) -> dict[str, Any]:
        """The record of the step that the updates make; the next one begins."""
        trainer, last = self._trainer, self._last
        assert last is not None
        outcome = StepOutcome(
            span=trainer.plan.span(trainer.step),
            totals=self._meter.total(trainer.world, stop_asked=False),
            grad_norm=last.norm,
            lr=last.rate,
            loss_scale=None,
            is_skipped=False,
            seconds=last.seconds - self._began,
        )
        record = step_record(
            outcome,
            self._speed,
            seq_len=trainer.plan.seq_len,
            waited_seconds=self._waited_seconds / self.gradients,
        )
        self._began = last.seconds
        self._begin()
        return record
