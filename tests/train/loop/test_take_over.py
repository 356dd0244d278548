"""What a rank does when another one is lost: it goes on with the step, keeps its sums, or begins the step again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch.distributed as dist

from train.data.cursor import RankShare
from train.loop.plan import StepSpan
from train.loop.take_over import TakeOver
from train.loop.trainer import StepBegunAgain
from train.sections import Regrouping

SPAN, ORDER = StepSpan(step=7, start=0, count=15), Regrouping(1, [1, 2])


class Left:
    """The world that is left after a loss, as one of its ranks sees it."""

    def __init__(self, steps: list[int]) -> None:
        self.rank, self.size, self.generation, self.steps = 1, 3, 0, steps
        self.met: tuple[list[int], int] | None = None

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def go_on_with(self, ranks: list[int], *, generation: int) -> None:
        self.met, self.rank, self.size = (ranks, generation), 0, len(ranks)

    def gather_values(self, value: Any) -> list[int]:
        return self.steps


def lost() -> RuntimeError:
    """The error of a collective, as torch raises it: here, for want of a group."""
    try:
        dist.distributed_c10d._get_default_group()
    except (RuntimeError, ValueError) as error:
        made = RuntimeError("Connection closed by peer").with_traceback(error.__traceback__)
    return made


def take_over(steps: list[int], *, order: Regrouping | None = ORDER) -> TakeOver:
    world = Left(steps)
    run: Any = SimpleNamespace(
        world=world,
        store=SimpleNamespace(abandon=lambda: None),
        rows=SimpleNamespace(leaf=lambda span, leaf: f"row {leaf}"),
    )
    strategy: Any = SimpleNamespace(
        go_on=lambda: None, take_over=lambda leaves: [leaves - 1], share=RankShare(block=2)
    )
    reporter: Any = SimpleNamespace(
        await_regrouping=lambda after, seconds: order, align=lambda generation: None
    )
    return TakeOver(run=run, strategy=strategy, reporter=reporter)


def test_ranks_in_one_step_deal_out_what_is_missing_of_its_leaves() -> None:
    made = take_over([7, 7])
    made.record = {"step": 6}

    rows = made(SPAN, lost(), has_sums=False)

    assert rows is not None
    assert list(rows) == ["row 7"]  # 15 rows in micro-batches of 2 have 8 leaves
    assert made.has_fewer
    assert made.unwritten == {
        "step": 6
    }  # it is the first rank now, and writes what the lost one may not have


def test_sums_that_another_rank_has_made_its_update_by_are_kept() -> None:
    assert take_over([7, 8])(SPAN, lost(), has_sums=True) is None


def test_who_is_ahead_begins_its_step_again_with_the_others() -> None:
    with pytest.raises(StepBegunAgain):
        take_over([6, 7])(SPAN, lost(), has_sums=False)


def test_an_error_that_is_of_no_collective_is_the_ranks_own() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        take_over([7, 7])(SPAN, RuntimeError("shapes do not fit"), has_sums=False)


def test_without_an_order_the_rank_fails_as_it_would_have() -> None:
    with pytest.raises(RuntimeError, match="Connection closed"):
        take_over([7, 7], order=None)(SPAN, lost(), has_sums=False)
