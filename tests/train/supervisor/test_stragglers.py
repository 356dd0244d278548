"""Stragglers: a rank slower than the fastest, or than it was itself."""

from __future__ import annotations

import pytest

from train.supervisor.stragglers import Flags, StragglerMeter


def after(*times: tuple[float, float], steps: int = 10) -> StragglerMeter:
    """A meter that has seen these seconds of ranks 0 and 1, each for so many steps."""
    meter, step = StragglerMeter(), 0
    for seconds in times:
        for _ in range(steps):
            for rank, own in enumerate(seconds):
                meter.add(rank, "forward-backward", step, own / 2)  # two micro-batches
                meter.add(rank, "forward-backward", step, own / 2)
            step += 1
    return meter


@pytest.mark.parametrize(("slow", "is_flagged"), [(1.3, False), (1.34, True)])
def test_a_rank_below_three_quarters_of_the_fastest_is_flagged(
    slow: float,
    is_flagged: bool,  # noqa: FBT001
) -> None:
    fast, other = after((1.0, slow)).scores()

    assert (fast.is_flagged, other.is_flagged) == (False, is_flagged)
    assert other.relative == pytest.approx(1 / slow)


def test_ranks_that_become_slow_together_are_found_by_their_own_best() -> None:
    scores = after((1.0, 1.0), (2.0, 2.0), steps=33).scores()

    assert [score.relative for score in scores] == [1.0, 1.0]
    assert [score.individual for score in scores] == [0.5, 0.5]
    assert all(score.is_flagged for score in scores)


def test_a_flag_is_noted_after_three_looks_and_taken_back_after_three() -> None:
    (_, slow), (_, well) = after((1.0, 2.0)).scores(), after((1.0, 1.0)).scores()
    flags = Flags()

    looks = [slow, slow, well, slow, slow, slow, slow, well, slow, well, well, well]

    noted = [flags.changes(score) for score in looks]
    assert [index for index, changed in enumerate(noted) if changed] == [5, 11]


def test_seven_steps_are_too_few_to_judge() -> None:
    assert after((1.0, 9.0), steps=8).scores() == []
    assert len(after((1.0, 9.0), steps=9).scores()) == 2


def test_sections_in_which_ranks_wait_are_not_scored() -> None:
    meter = StragglerMeter()
    for step in range(20):
        meter.add(0, "reduce", step, 1.0)
        meter.add(1, "reduce", step, 9.0)

    assert meter.scores() == []


def test_sections_too_short_to_time_are_not_scored() -> None:
    assert after((1e-5, 9e-5)).scores() == []
