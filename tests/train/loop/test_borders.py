"""The borders between micro-batches: asked as often on each rank, and left together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from tests.support.stopping import LeaveAt, StopAfter
from train.data.cursor import RankShare
from train.distributed.world import World
from train.loop.borders import Borders, LeftStep
from train.loop.plan import StepSpan
from train.loop.signals import AsksToStop

ALONE = World(rank=0, size=1, device=torch.device("cpu"))
SPAN = StepSpan(step=0, start=0, count=10)


def borders(flag: AsksToStop, *, ranks: int = 1) -> Borders:
    return Borders(world=ALONE, flag=flag, share=RankShare(rank=0, ranks=ranks), microbatch=2)


class Stream:
    """Gives numbers for micro-batches, and steps on when they are used up."""

    def __init__(self, count: int, *, fails_at: int | None = None) -> None:
        self.count, self.fails_at, self.has_stepped_on = count, fails_at, False

    def of_step(self, span: StepSpan) -> Iterator[Any]:
        for number in range(self.count):
            if number == self.fails_at:
                raise OSError("gone")
            yield number
        self.has_stepped_on = True


def test_without_a_signal_all_micro_batches_come_and_the_stream_steps_on() -> None:
    stream = Stream(5)

    assert list(borders(StopAfter(9)).of_step(SPAN, stream.of_step)) == [0, 1, 2, 3, 4]
    assert stream.has_stepped_on


def test_a_rank_with_fewer_rows_is_asked_at_as_many_borders() -> None:
    flag = LeaveAt(3)  # 10 rows on 2 ranks are 3 borders

    with pytest.raises(LeftStep) as left:
        list(borders(flag, ranks=2).of_step(SPAN, Stream(2).of_step))

    assert not left.value.has_failed
    assert left.value.error is None


def test_rows_that_cannot_be_read_are_a_reason_to_leave() -> None:
    taken = []

    with pytest.raises(LeftStep) as left:
        taken += borders(StopAfter(9)).of_step(SPAN, Stream(5, fails_at=3).of_step)

    assert left.value.has_failed
    assert isinstance(left.value.error, OSError)
