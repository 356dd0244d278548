"""The borders between micro-batches, where all ranks may leave a step together.

Until the optimizer steps, weights and states are those after the step before: a run that is asked to stop
saves them at the next border, however long the step is, and does the step again when it is resumed. A rank whose rows
cannot be read asks for the same, so that the work until then is saved before the error ends the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

from train.data.cursor import RankShare
from train.distributed.world import World
from train.loop.plan import StepSpan
from train.loop.signals import AsksToStop
from train.loop.trainer import MicroBatch
from train.sections import section

_GO_ON, _STOP, _FAILED = 0, 1, 2


class LeftStep(Exception):  # noqa: N818 - no error: it leaves `accumulate` in every strategy
    """All ranks leave the step that they are in.

    Attributes:
        error: Why this rank cannot go on; None where it was only asked to stop, or another one cannot.
        has_failed: Whether any rank cannot go on.
    """

    def __init__(self, error: BaseException | None, *, has_failed: bool) -> None:
        super().__init__()
        self.error, self.has_failed = error, has_failed


@dataclass(kw_only=True)
class Borders:
    """Asks all ranks at each border whether one of them has to leave.

    Attributes:
        flag: Says whether this rank is asked to stop.
        share: The rows of a batch that this rank reads.
        microbatch: Rows of a micro-batch.
    """

    world: World
    flag: AsksToStop
    share: RankShare
    microbatch: int

    def of_step(
        self, span: StepSpan, read: Callable[[StepSpan], Iterator[MicroBatch]]
    ) -> Iterator[MicroBatch]:
        """The micro-batches of a step, as `read` gives them, until a rank has to leave.

        Raises:
            LeftStep: A rank has to.
        """
        items = read(span)
        # As many on every rank, also where the last rows do not fill a micro-batch on each.
        for _ in range(self.share.most_microbatches(span.count, self.microbatch)):
            with section("data", step=span.step):
                item, error = _next(items)
            with section("reduce", step=span.step):
                own = _FAILED if error else _STOP if self.flag.leaves_step else _GO_ON
                answer = self._agree(own)
            if answer != _GO_ON:
                raise LeftStep(error, has_failed=answer == _FAILED) from error
            if item is not None:
                yield item
        yield from items  # none is left, but the stream steps on to the next step

    def is_asked(self) -> bool:
        """Whether this rank is asked to leave; a pipeline asks within its schedule."""
        return self.flag.leaves_step

    def leave_together(self, *, has_left: bool) -> None:
        """Leave a step whose micro-batches were all begun; all ranks call it.

        Raises:
            LeftStep: A rank has left out a part of its micro-batches.
        """
        if self._agree(_STOP if has_left else _GO_ON) != _GO_ON:
            raise LeftStep(None, has_failed=False)

    def _agree(self, own: int) -> int:
        """The gravest answer of all ranks."""
        if self.world.size == 1:
            return own
        answer: Any = torch.tensor([own])
        dist.all_reduce(answer, op=dist.ReduceOp.MAX, group=self.world.cpu_group())
        return int(answer)


def _next(items: Iterator[MicroBatch]) -> tuple[MicroBatch | None, Exception | None]:
    try:
        return next(items, None), None
    except Exception as error:  # whatever it is, the others must hear of it
        return None, error
