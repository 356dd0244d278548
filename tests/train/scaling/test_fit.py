"""Fits of the law against laws that are known, and what is refused."""

import dataclasses

import numpy as np
import pytest

from schemas.errors import SettingsError
from tests.train.scaling.ladders import TRUE, ladder
from train.scaling.fit import Question, fit_ladder, ladder_lines
from train.scaling.huber import fit_by_huber
from train.scaling.law import BESIROGLU, HOFFMANN, Allocation, ScalingLaw
from train.scaling.points import LadderPoints
from train.scaling.projection import fit_by_projection


def _numbers(law: ScalingLaw) -> list[float]:
    return list(dataclasses.asdict(law).values())


@pytest.mark.parametrize("law", [HOFFMANN, BESIROGLU], ids=["Hoffmann", "Besiroglu"])
@pytest.mark.parametrize("fit", [fit_by_projection, fit_by_huber])
def test_published_constants_are_found_again_from_runs_that_follow_them(fit, law) -> None:
    """Runs at the budgets of Hoffmann et al. 2022, figure 3: nine from 6e18 to 3e21 FLOPs, seven sizes each."""
    budgets = np.repeat(np.geomspace(6e18, 3e21, 9), 7)
    parameters = np.tile(np.geomspace(0.25, 4, 7), 9) * np.sqrt(budgets / 120)
    tokens = budgets / 6 / parameters
    points = LadderPoints(
        parameters=parameters,
        tokens=tokens,
        losses=law.loss(parameters, tokens),
        counted="all",
    )

    assert _numbers(fit(points)) == pytest.approx(_numbers(law), rel=2e-3)


@pytest.mark.parametrize("fit", [fit_by_projection, fit_by_huber])
def test_both_methods_find_the_law_of_a_small_ladder(fit) -> None:
    assert _numbers(fit(ladder())) == pytest.approx(_numbers(TRUE), rel=1e-3)


def test_one_failed_run_pulls_hubers_fit_less() -> None:
    points = ladder(noise=0.001)
    losses = points.losses.copy()
    losses[7] += 0.5
    failed = dataclasses.replace(points, losses=losses)

    errors = [
        abs(float(fit(failed).loss(3e6, 2e7)) - float(TRUE.loss(3e6, 2e7)))
        for fit in (fit_by_huber, fit_by_projection)
    ]

    assert errors[0] < 0.01 < errors[1]


def test_a_floor_is_never_negative() -> None:
    straight = dataclasses.replace(TRUE, floor=0.0)

    law = fit_by_projection(ladder(straight, noise=0.02, seed=3))

    assert law.floor >= 0


def test_as_many_runs_as_numbers_of_the_law_are_refused() -> None:
    whole = ladder()
    five = LadderPoints(
        parameters=whole.parameters[::4],
        tokens=whole.tokens[::4] * [1, 2, 3, 4, 5],
        losses=whole.losses[::4],
        counted="all",
    )

    with pytest.raises(SettingsError, match="has 5 numbers, the ladder 5 runs"):
        fit_by_projection(five)


def test_one_duration_is_refused_because_exponents_cannot_be_told_apart() -> None:
    with pytest.raises(SettingsError, match="20 tokens per parameter"):
        fit_by_huber(ladder(ratios=(20,)))


def test_two_sizes_are_refused() -> None:
    with pytest.raises(SettingsError, match="2 different sizes"):
        fit_by_projection(ladder(sizes=(1e6, 2e6)))


def test_losses_that_rise_with_size_have_no_law() -> None:
    points = ladder()
    rising = points.parameters**0.3 / 20 + points.tokens**-0.3

    with pytest.raises(SettingsError, match="do not fall with size"):
        fit_by_projection(dataclasses.replace(points, losses=rising))


def test_a_loss_that_is_no_number_is_refused() -> None:
    points = ladder()

    with pytest.raises(SettingsError, match="finite"):
        dataclasses.replace(points, losses=np.full_like(points.losses, np.nan))


@pytest.mark.parametrize(
    "question",
    [
        Question(target=Allocation(parameters=2e7, tokens=1e7)),
        Question(target=Allocation(parameters=1e6, tokens=2e8)),
        Question(flops=1e20),
    ],
)
def test_an_answer_far_beyond_the_ladder_is_refused_with_both_sides(question: Question) -> None:
    with pytest.raises(SettingsError, match="more than 8 times beyond the ladder, which has"):
        fit_ladder(ladder(), question)


def test_a_verdict_says_which_parameters_it_counts_and_both_fits() -> None:
    question = Question(flops=1e14, target=Allocation(parameters=3e6, tokens=2e7), resamples=40)

    fit = fit_ladder(ladder(noise=0.015), question)

    text = "\n".join(ladder_lines(fit))
    assert "counted: all parameters" in text
    assert "by variable projection" in text
    assert "by Huber's loss and L-BFGS" in text
    best = {one.name: one for one in fit.answers}["parameters for 1e+14 FLOPs"]
    assert best.profile.holds(TRUE.best(1e14).parameters)
    assert best.profile.holds(best.value)
