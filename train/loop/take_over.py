"""A rank is lost in a step: the others do its micro-batches in the same step, and go on without it.

Who goes on is said by the supervisor, which alone sees all ranks. They meet under new names and tell each other which step
they are in. Nobody makes the update of a step before all have its sums; so they are in one step, or some
of them in the next and the others hold the sums of this one.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from train.distributed.broken import is_of_collective
from train.loop.open_run import TrainingRun
from train.loop.plan import StepSpan
from train.loop.trainer import Closes, MicroBatch, StepBegunAgain
from train.parallel.tree import TreeStrategy
from train.sections import Reporter, current_reporter, section

logger = logging.getLogger(__name__)

# The supervisor sees an end at once; where it says nothing for so long, it waits for something else.
_ORDER_SECONDS = 10.0


@dataclass(kw_only=True)
class TakeOver:
    """See `TakesOver`; one serves a whole run."""

    run: TrainingRun
    strategy: TreeStrategy
    reporter: Reporter
    stream: Closes | None = None
    has_fewer: bool = False
    record: dict[str, Any] | None = None
    unwritten: dict[str, Any] | None = None

    def __call__(
        self, span: StepSpan, error: RuntimeError, *, has_sums: bool
    ) -> Iterator[MicroBatch] | None:
        world = self.run.world
        if world.size == 1 or not is_of_collective(error):
            raise error
        order = self.reporter.await_regrouping(after=world.generation, seconds=_ORDER_SECONDS)
        if order is None:
            raise error
        traceback.clear_frames(error.__traceback__)  # they hold groups, whose ends others wait for
        if self.stream is not None:
            self.stream.close()
        self.run.store.abandon()
        was_first = world.is_first
        world.go_on_with(order.ranks, generation=order.generation)
        self.reporter.align(order.generation)
        self.strategy.go_on()
        self.has_fewer = True
        if world.is_first and not was_first:
            self.unwritten = self.record
        steps = world.gather_values(span.step)
        logger.info("step %d: %d ranks are left and go on with it", span.step, world.size)
        if max(steps) > span.step:
            if not has_sums:
                raise error
            return None
        if min(steps) < span.step:
            raise StepBegunAgain
        block = self.strategy.share.block or 1
        return self._rows(span, self.strategy.take_over(-(-span.count // block)))

    def _rows(self, span: StepSpan, leaves: list[int]) -> Iterator[MicroBatch]:
        for leaf in leaves:
            with section("data", step=span.step):
                item = self.run.rows.leaf(span, leaf)
            yield item


def take_over_of(run: TrainingRun) -> TakeOver | None:
    """What goes on without a lost rank; None where none can be told or done without.

    On accelerators a broken collective leaves the device in a state that needs a new process.
    """
    strategy, reporter = run.trainer.strategy, current_reporter()
    if not isinstance(strategy, TreeStrategy) or not run.settings.takes_over or reporter is None:
        return None
    if run.world.size == 1 or run.world.device.type != "cpu":
        return None
    run.world.when_first(run.store.take_on)
    return TakeOver(run=run, strategy=strategy, reporter=reporter)
