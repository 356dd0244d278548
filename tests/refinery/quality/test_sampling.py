from __future__ import annotations

import hashlib

import numpy as np
import pytest

from refinery.quality.config import ParetoConfig
from refinery.quality.sampling import (
    best_border,
    id_numbers,
    is_beyond,
    is_sampled_out,
    num_best,
    pareto_draws,
)

IDS = [hashlib.sha256(str(i).encode()).hexdigest()[:32] for i in range(60_000)]


@pytest.mark.parametrize("score", [0.0, 0.5, 0.9, 1.0])
def test_the_kept_share_is_the_closed_form(score: float) -> None:
    expected = (2 - score) ** -9.0

    kept = 1 - is_sampled_out(np.full(len(IDS), score), IDS, ParetoConfig()).mean()

    error = (expected * (1 - expected) / len(IDS)) ** 0.5
    assert kept == pytest.approx(expected, abs=4 * error + 1e-9)


def test_draws_have_the_distribution_of_numpys_pareto() -> None:
    ours = np.sort(pareto_draws(IDS, ParetoConfig(alpha=3)))
    numpys = np.sort(np.random.default_rng(0).pareto(3, len(IDS)))

    shares = [0.1, 0.5, 0.9, 0.99]
    assert np.quantile(ours, shares) == pytest.approx(np.quantile(numpys, shares), rel=0.04)


def test_a_draw_depends_on_the_id_and_the_seed_alone() -> None:
    config = ParetoConfig(seed=3)

    assert pareto_draws(IDS[:9], config)[4] == pareto_draws([IDS[4]], config)[0]
    assert pareto_draws(IDS[:9], config)[4] != pareto_draws([IDS[4]], ParetoConfig())[0]


@pytest.mark.parametrize(
    ("fraction", "number", "best"), [(0.07, 100, 7), (0.1, 1, 1), (1.0, 3, 3), (0.5, 3, 2)]
)
def test_the_kept_number_is_the_fraction_rounded_up(
    fraction: float, number: int, best: int
) -> None:
    assert num_best(fraction, number) == best


def test_the_best_are_the_first_by_score_and_then_by_id() -> None:
    scores = np.round(np.random.default_rng(1).random(500), 1)  # many equal ones
    ids = id_numbers(IDS[:500])

    beyond = is_beyond(scores, ids, best_border(scores, ids, 0.33))

    ranked = sorted(zip(-scores, IDS, strict=False))[:165]
    assert {i for i, out in zip(IDS, beyond, strict=False) if not out} == {i for _, i in ranked}
