"""The hang rule: floors, five times the longest, and who is the odd one out."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from train.supervisor.config import SupervisionConfig
from train.supervisor.watch import HangRule, busy_by_stack, odd_ones_out

CONFIG = SupervisionConfig(floor_seconds=20, start_floor_seconds=120)


def warm_rule(**before: float) -> HangRule:
    rule = HangRule(config=CONFIG, before=before)
    rule.observe("step", 0.0, 0)  # the first step of the attempt is step 0
    return rule


@pytest.mark.parametrize(
    ("section", "seconds", "step", "limit"),
    [
        ("step", 1.0, 9, 20.0),      # the floor
        ("step", 4.0, 9, 20.0),      # 5 x 4 is the floor
        ("step", 4.1, 9, 20.5),
        ("step", 30.0, 4, 120.0),    # one of the first five steps: not learnt from
        ("step", 30.0, 5, 150.0),
    ],
)  # fmt: skip
def test_a_section_may_take_five_times_the_longest_seen(
    section: str, seconds: float, step: int, limit: float
) -> None:
    rule = warm_rule()

    rule.observe(section, seconds, step)

    assert rule.limit(section, 10) == pytest.approx(limit)


def test_what_is_not_learnt_yet_has_the_floor_of_the_start() -> None:
    rule = warm_rule()

    assert rule.limit("evaluation", 10) == 120
    assert HangRule(config=CONFIG).limit("start", -1) == 120


def test_the_first_five_steps_of_an_attempt_have_the_floor_of_the_start() -> None:
    rule = HangRule(config=CONFIG, before={"step": 1.0})
    rule.observe("step", 0.1, 40)  # resumed at step 40

    assert rule.limit("step", 44) == 120
    assert rule.limit("step", 45) == 20


def test_one_slow_moment_of_an_earlier_attempt_fades_by_half() -> None:
    rule = warm_rule(step=40.0)

    rule.observe("step", 2.0, 9)

    assert rule.learnt() == {"step": 21.0}
    assert rule.limit("step", 10) == 105.0


@dataclass
class At:
    rank: int
    step: int
    told: int
    section: str = "reduce"


def test_the_rank_that_the_others_wait_for_is_the_odd_one() -> None:
    ranks = [At(0, 7, 40), At(1, 7, 38, "forward-backward"), At(2, 7, 40)]

    assert odd_ones_out(ranks) == [1]


def test_a_rank_that_is_a_step_behind_is_the_odd_one_also_while_it_waits() -> None:
    assert odd_ones_out([At(0, 8, 50), At(1, 7, 44, "checkpoint"), At(2, 8, 50)]) == [1]


def test_where_all_wait_at_one_point_nobody_is_named() -> None:
    assert odd_ones_out([At(0, 7, 40), At(1, 7, 40)]) == []


def test_of_ranks_at_one_point_the_one_in_no_collective_hangs() -> None:
    waits = '  File "/x/torch/distributed/distributed_c10d.py", line 3 in all_reduce'

    assert busy_by_stack({0: waits, 1: '  File "own.py", line 9 in sleep', 2: waits}) == [1]
    assert busy_by_stack({0: waits, 1: waits}) == []
    assert busy_by_stack({0: "a", 1: "b"}) == []  # all are busy: nobody stands out
    assert busy_by_stack({0: waits, 1: ""}) == []  # no stack, no word


def test_a_rank_alone_is_the_odd_one() -> None:
    assert odd_ones_out([At(0, 7, 40)]) == [0]
