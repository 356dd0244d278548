"""Intervals of the law: what they hold, and how often."""

import dataclasses
import math

import numpy as np
import pytest

from tests.train.scaling.ladders import TRUE, ladder
from train.scaling.projection import fit_by_projection
from train.scaling.uncertainty import ProfiledLaw, bootstrap_laws, percentiles

BUDGET = 1e15


def test_profile_intervals_hold_the_truth_about_nine_times_in_ten() -> None:
    """Of 20 ladders of fixed seeds; the full figure is benchmarks/train/ladder_coverage.py's."""
    held = np.zeros(5)
    for seed in range(100, 120):
        profiled = ProfiledLaw(ladder(noise=0.015, seed=seed))
        held += [
            profiled.floor().holds(TRUE.floor),
            profiled.exponent(0).holds(TRUE.size_exponent),
            profiled.exponent(1).holds(TRUE.tokens_exponent),
            profiled.loss(6e6, 6e7).holds(float(TRUE.loss(6e6, 6e7))),
            profiled.best_parameters(BUDGET).holds(TRUE.best(BUDGET).parameters),
        ]

    assert held.min() >= 15


def test_an_interval_ends_where_the_constrained_fit_is_significantly_worse() -> None:
    """The end of beta's interval, against scipy's own fit with beta held there."""
    from scipy.optimize import minimize
    from scipy.stats import t

    points = ladder(noise=0.015, seed=2)
    x, y = np.log(points.parameters / 7e5), np.log(points.tokens / 2.8e6)

    def squares(theta: np.ndarray, beta: float) -> float:
        e, a, alpha, b = theta
        fitted = e + a * np.exp(-alpha * x) + b * np.exp(-beta * y)
        return float(((points.losses - fitted) ** 2).sum())

    def least(beta: float) -> float:
        options = {"maxiter": 20_000, "maxfev": 20_000, "xatol": 1e-10, "fatol": 1e-14}
        found = minimize(squares, [1.7, 0.9, 0.34, 1.2], (beta,), "Nelder-Mead", options=options)
        return float(found.fun)

    law = fit_by_projection(points)
    high = ProfiledLaw(points).exponent(1).high
    freedom = points.runs - 5
    bound = least(law.tokens_exponent) * (1 + float(t.ppf(0.95, freedom)) ** 2 / freedom)

    assert least(high - 0.002) < bound < least(high + 0.004)


def test_less_noise_gives_shorter_intervals_of_both_kinds() -> None:
    lengths = []
    for noise in (0.002, 0.02):
        points = ladder(noise=noise, seed=1)
        profile = ProfiledLaw(points).loss(3e6, 3e7)
        laws = bootstrap_laws(points, fit_by_projection(points), resamples=60)
        bootstrap = percentiles(laws, lambda law: float(law.loss(3e6, 3e7)))
        lengths.append((profile.high - profile.low, bootstrap.high - bootstrap.low))

    assert lengths[0][0] < lengths[1][0] / 4
    assert lengths[0][1] < lengths[1][1] / 4


def test_what_the_runs_do_not_bound_is_open() -> None:
    """So noisy that loss need not fall with size: no exponent and no size is excluded on one side."""
    points = ladder(dataclasses.replace(TRUE, size_factor=5.0), noise=0.03, seed=4)
    profiled = ProfiledLaw(points)

    assert profiled.exponent(0).low == 0.0 or math.isinf(profiled.exponent(0).high)
    best = profiled.best_parameters(BUDGET)
    assert best.low < best.high


@pytest.mark.parametrize("seed", [20_093, 1])
def test_a_seed_gives_the_same_bootstrap_again(seed: int) -> None:
    points = ladder(noise=0.01)
    law = fit_by_projection(points)

    first, second = (bootstrap_laws(points, law, resamples=5, seed=seed) for _ in range(2))

    assert first == second
