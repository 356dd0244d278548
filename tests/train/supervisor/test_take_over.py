"""A rank is lost in a step: who may go on without it, and the same bits whoever does its rows."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from benchmarks.train.take_over import FLIP, Bench
from schemas.errors import SettingsError
from train.sections import TOLD_OF_GENERATION
from train.supervisor.attempt import Attempt, RankState
from train.supervisor.config import SupervisionConfig
from train.supervisor.ends import root_end
from train.supervisor.links import AgentLinks
from train.supervisor.take_over import take_over_event, taken_over
from train.supervisor.words import Words


@pytest.fixture
def attempt() -> Attempt:
    """Three ranks in step 7, the second of which was killed a second ago."""
    made = Attempt.begin(0, SupervisionConfig(), {}, 0.0)
    made.ranks = {
        number: RankState(rank=number, host="a", since=9.0, section="reduce", step=7)
        for number in range(3)
    }
    made.ranks[1].ended_at, made.ranks[1].signal = 10.0, signal.SIGKILL
    return made


def left(attempt: Attempt) -> list[int] | None:
    found = taken_over(attempt, 11.0, refuse=lambda size: None)
    return None if found is None else [rank.rank for rank in found[1]]


def test_the_others_go_on_without_a_rank_that_was_killed_in_a_step(attempt: Attempt) -> None:
    found = taken_over(attempt, 11.0, refuse=lambda size: None)

    assert found is not None
    root, others = found
    assert [rank.rank for rank in others] == [0, 2]
    event = take_over_event(attempt, root, others, 11.0)
    assert (event["cause"], event["ranks"], event["failed_seconds"]) == ("killed", [0, 2], 10.0)
    assert event["lost"] == [
        {"rank": 1, "host": "a", "code": None, "signal": 9, "section": "reduce", "step": 7}
    ]


@pytest.mark.parametrize("section", ["start", "checkpoint", "evaluation"])
def test_outside_of_a_step_a_new_attempt_follows(attempt: Attempt, section: str) -> None:
    attempt.ranks[1].section = section
    assert left(attempt) is None


@pytest.mark.parametrize(
    ("kind", "bases", "entity"),
    [
        ("NotFiniteError", ("NotFiniteError", "PipelineError"), "step 7"),
        ("ContractError", ("ContractError", "PipelineError"), "shard-00001"),
        ("SettingsError", ("SettingsError",), None),
    ],
)
def test_what_the_others_would_meet_as_well_is_not_taken_over(
    attempt: Attempt, kind: str, bases: tuple[str, ...], entity: str | None
) -> None:
    lost = attempt.ranks[1]
    lost.signal, lost.code = None, 1
    lost.words = Words(kind=kind, bases=bases, message="m", frame="", entity=entity)
    assert left(attempt) is None


def test_a_layout_that_does_not_fit_fewer_ranks_begins_anew(attempt: Attempt) -> None:
    def refuse(size: int) -> None:
        raise SettingsError(f"dp_replicate is 3, not {size}")

    assert taken_over(attempt, 11.0, refuse=refuse) is None


def test_a_second_rank_that_is_lost_before_the_others_have_met_ends_the_attempt(
    attempt: Attempt,
) -> None:
    attempt.replace([attempt.ranks[0], attempt.ranks[2]], 11.0)
    assert not attempt.has_failed()  # the lost one is no longer of the attempt
    attempt.ranks[2].ended_at, attempt.ranks[2].code = 11.5, 1

    assert left(attempt) is None
    attempt.undo_replacing()
    root = root_end([rank.end(12.0) for rank in attempt.members])
    assert root is not None
    assert root.rank == 1  # what failed first stays the root


def test_a_second_rank_that_is_lost_after_they_have_met_is_taken_over_too(attempt: Attempt) -> None:
    attempt.replace([attempt.ranks[0], attempt.ranks[2]], 11.0)
    for rank in (0, 2):
        attempt.ranks[rank].told = TOLD_OF_GENERATION + 3
    attempt.ranks[0].ended_at, attempt.ranks[0].signal = 11.5, signal.SIGSEGV

    assert left(attempt) == [2]


def test_one_rank_alone_has_nobody_to_take_over(attempt: Attempt) -> None:
    for rank in (0, 2):
        attempt.ranks[rank].ended_at, attempt.ranks[rank].signal = 10.5, signal.SIGKILL
    assert left(attempt) is None


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("take-over"), AgentLinks())
    yield made
    made.links.end(0)


@pytest.mark.slow
@pytest.mark.distributed
@pytest.mark.parametrize(
    ("place", "rank"), [("backward", 2), ("before the reduce", 0), ("summed", 1)]
)
def test_the_weights_are_those_of_a_run_on_one_rank_that_nothing_struck(
    bench: Bench, place: str, rank: int
) -> None:
    found = bench.kill(place, ranks=3, rank=rank)

    others = [number for number in range(3) if number != rank]
    assert found["causes"] == ["killed"]
    assert (found["exit_code"], found["attempts"]) == (0, 1)
    assert found["taken_over_by"] == [others]
    assert found["steps_written"] == [0, 1, 2, 3, 4, 5]  # also where the writer is lost
    assert found["is_equal"]


@pytest.mark.slow
@pytest.mark.distributed
def test_a_rank_with_a_flipped_bit_is_named_and_the_others_end_with_the_right_weights(
    bench: Bench,
) -> None:
    found = bench.kill("backward", ranks=3, rank=2, fault=FLIP)

    assert (found["causes"], found["taken_over_by"]) == (["bit_flip"], [[0, 1]])
    assert (found["exit_code"], found["attempts"], found["is_equal"]) == (0, 1, True)
