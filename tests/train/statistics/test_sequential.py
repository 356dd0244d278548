"""Pocock's levels against the published constants and a simulated walk."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from train.statistics.sequential import pocock_level


@pytest.mark.parametrize(
    ("alpha", "looks", "bound"),
    # Jennison and Turnbull 2000, table 2.1, two-sided .05 and .1; the lower bound adds next to nothing.
    [(0.025, 2, 2.178), (0.025, 3, 2.289), (0.025, 5, 2.413), (0.025, 10, 2.555), (0.05, 2, 1.875), (0.05, 3, 1.992)],
)  # fmt: skip
def test_bounds_are_the_published_ones(alpha: float, looks: int, bound: float) -> None:
    assert NormalDist().inv_cdf(1 - pocock_level(alpha, looks)) == pytest.approx(bound, abs=0.006)


def test_one_look_needs_no_correction() -> None:
    assert pocock_level(0.1, 1) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="looks >= 1"):
        pocock_level(0.1, 0)


def test_all_looks_together_err_as_often_as_they_may() -> None:
    bound = NormalDist().inv_cdf(1 - pocock_level(0.1, 4))
    walks = np.random.default_rng(3).normal(size=(40_000, 4)).cumsum(1) / np.sqrt([1, 2, 3, 4])

    assert (walks > bound).any(1).mean() == pytest.approx(0.1, abs=0.006)
