from __future__ import annotations

import hashlib

import numpy as np
import pytest

from refinery.quality.config import ParetoConfig
from refinery.quality.sampling import is_sampled_out, pareto_draws

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
