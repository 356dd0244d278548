"""Verdicts: which failures are tried again, how often, and what breaks a streak."""

from __future__ import annotations

import pytest

from train.supervisor.config import RetryBudget
from train.supervisor.verdict import CAUSES, Failure, Verdict, judge


def verdict(*failures: Failure) -> Verdict:
    return judge(failures, RetryBudget(), max_pause=60)


def failure(
    cause: str = "killed",
    root: str = "a",
    *,
    entity: str | None = None,
    steps: tuple[int | None, int | None] = (0, 0),
) -> Failure:
    return Failure(cause=cause, root=root, entity=entity, step_before=steps[0], step_after=steps[1])


@pytest.mark.parametrize(
    ("cause", "retries", "exit_code"),
    [
        ("settings", 0, 93), ("contract", 0, 93), ("read_only", 0, 93), ("unrecoverable", 0, 93),
        ("bad_data", 1, 93), ("damaged_checkpoint", 1, 93), ("not_finite", 1, 93), ("at_position", 1, 93),
        ("full_disk", 1, 93), ("port_in_use", 1, 93), ("device_memory", 1, 93),
        ("kernel_memory", 3, 1), ("memory", 3, 1), ("killed", 3, 1), ("signal", 3, 1), ("crash", 3, 1),
        ("exit", 3, 1), ("exception", 3, 1), ("stopped", 3, 1), ("hang", 3, 1), ("collective", 3, 1),
        ("host_lost", 3, 1), ("bit_flip", 3, 1), ("asked_from_outside", 3, 1),
    ],
)  # fmt: skip
def test_each_cause_is_tried_again_as_often_as_its_rule_says(
    cause: str, retries: int, exit_code: int
) -> None:
    same = [failure(cause, entity="step 3")] * (retries + 1)

    decided = [verdict(*same[: count + 1]) for count in range(retries + 1)]

    assert [one.restarts for one in decided] == [True] * retries + [False]
    assert [one.left for one in decided[:-1]] == list(range(retries))[::-1]
    assert decided[-1].exit_code == exit_code


def test_the_table_above_names_every_cause() -> None:
    assert len(CAUSES) == 24


def test_two_entities_in_turn_stop_at_the_general_ceiling() -> None:
    turns = [failure("bad_data", entity=name) for name in ("x", "y", "x", "y")]

    assert [verdict(*turns[: n + 1]).restarts for n in range(4)] == [True, True, True, False]
    assert verdict(*turns).rule == "general"


def test_another_root_breaks_a_streak() -> None:
    assert verdict(*[failure()] * 2, failure("crash", "b"), failure()).left == 2


def test_roots_in_turn_that_never_get_on_stop_in_the_end() -> None:
    turns = [failure("crash", "a"), failure("exit", "b")] * 4

    decided = [verdict(*turns[: n + 1]).restarts for n in range(7)]

    assert decided == [True] * 6 + [False]
    assert (verdict(*turns[:7]).rule, verdict(*turns[:7]).exit_code) == ("stalled", 93)


def test_a_published_checkpoint_gives_the_whole_budget_back() -> None:
    assert verdict(*[failure()] * 3, failure(steps=(0, 5))).left == 2
    assert verdict(failure("bad_data", entity="x"), failure("bad_data", entity="x", steps=(0, 5))).restarts  # fmt: skip


@pytest.mark.parametrize("steps", [(None, 4), (4, None), (None, None)])
def test_progress_that_is_not_known_is_not_taken_for_stalled(
    steps: tuple[int | None, int | None],
) -> None:
    assert verdict(*[failure()] * 3, failure(steps=steps)).restarts


def test_a_checkpoint_that_goes_back_is_no_progress() -> None:
    assert not verdict(*[failure()] * 3, failure(steps=(8, 4))).restarts


def test_pauses_double_up_to_a_bound() -> None:
    budget = RetryBudget(general=10, stalled=20)
    pauses = [judge([failure()] * n, budget, max_pause=10).pause_seconds for n in range(1, 7)]

    assert pauses == [0, 2, 4, 8, 10, 10]
