"""Student's t and the sign test, against published tables and enumeration."""

from __future__ import annotations

from itertools import product

import pytest

from train.statistics.distributions import f_upper, sign_test, t_quantile, t_two_sided


# Table of Student's t, two-sided .05 and .01: NIST/SEMATECH e-Handbook 1.3.6.7.2.
@pytest.mark.parametrize(
    ("freedom", "at_05", "at_01"),
    [
        (1, 12.706, 63.657),
        (2, 4.303, 9.925),
        (4, 2.776, 4.604),
        (10, 2.228, 3.169),
        (30, 2.042, 2.750),
        (100, 1.984, 2.626),
    ],
)
def test_quantiles_are_those_of_the_published_table(
    freedom: int, at_05: float, at_01: float
) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(at_05, abs=6e-4)
    assert t_quantile(0.995, freedom) == pytest.approx(at_01, abs=6e-4)
    assert t_quantile(0.025, freedom) == pytest.approx(-at_05, abs=6e-4)


def test_two_degrees_of_freedom_follow_the_closed_form() -> None:
    for t in (0.0, 0.3, 1.0, 2.5, 40.0, -2.5):
        assert t_two_sided(t, 2) == pytest.approx(1 - abs(t) / (2 + t * t) ** 0.5, abs=1e-12)


def test_t_agrees_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy comes with datasketch")

    for freedom in (1, 3, 8.5, 66, 5_000):
        for t in (0.01, 0.7, 1.96, 3.3, 9.0):
            assert t_two_sided(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), rel=1e-9)


def test_sign_test_counts_the_outcomes_of_a_fair_coin() -> None:
    for fewer, more in [(0, 5), (1, 7), (3, 4), (4, 4), (2, 0)]:
        trials = fewer + more
        outcomes = [sum(faces) for faces in product((0, 1), repeat=trials)]
        as_uneven = [abs(2 * heads - trials) >= abs(more - fewer) for heads in outcomes]

        assert sign_test(fewer, more) == pytest.approx(sum(as_uneven) / len(outcomes))


def test_sign_test_of_many_items_is_no_overflow() -> None:
    assert sign_test(0, 0) == 1.0
    assert sign_test(20_000, 20_000) == 1.0
    assert 0 < sign_test(9_700, 10_300) < 1e-4


def test_impossible_quantiles_are_refused() -> None:
    for probability, freedom in [(0.0, 3), (1.0, 3), (0.5, 0)]:
        with pytest.raises(ValueError, match="freedom"):
            t_quantile(probability, freedom)


def test_f_of_one_degree_of_freedom_is_t_squared() -> None:
    assert f_upper(2.228**2, 1, 10) == pytest.approx(t_two_sided(2.228, 10))
    # Upper 5 % points of F: NIST/SEMATECH e-Handbook 1.3.6.7.3.
    assert f_upper(3.478, 4, 10) == pytest.approx(0.05, abs=2e-4)
    assert f_upper(2.348, 7, 28) == pytest.approx(0.05, abs=2e-3)
    assert (f_upper(0.0, 3, 5), f_upper(float("inf"), 3, 5)) == (1.0, 0.0)
