"""Differences over blocks of seeds against the textbook's sums, paired t, and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from train.statistics.blocks import block_differences, pairing, run_deviation
from train.statistics.distributions import t_quantile
from train.statistics.intervals import mean_interval

TABLE = {
    "base": {1: 2.50, 2: 2.54, 3: 2.47},
    "a": {1: 2.53, 2: 2.55, 3: 2.51},
    "b": {1: 2.49, 2: 2.54, 3: 2.48},
}


def test_a_whole_table_is_the_two_way_analysis_of_variance() -> None:
    values = np.array([list(row.values()) for row in TABLE.values()])
    residuals = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    variance = (residuals**2).sum() / 4  # (3 - 1)(3 - 1) degrees of freedom
    half = t_quantile(0.975, 4) * math.sqrt(2 * variance / 3)

    found = block_differences(TABLE, "base")

    assert found["a"].difference.value == pytest.approx(0.0266667, rel=1e-4)
    assert found["a"].difference.high - found["a"].difference.value == pytest.approx(half)
    assert (found["a"].freedom, found["b"].is_alone) == (4, False)
    assert run_deviation(TABLE) == (pytest.approx(math.sqrt(variance)), 4)


def test_two_arms_are_paired_students_t() -> None:
    pairs = mean_interval([0.03, 0.01, 0.04])

    found = block_differences({name: TABLE[name] for name in ("base", "a")}, "base")["a"]

    assert found.difference.low == pytest.approx(pairs.low)
    assert found.p_value == pytest.approx(pairs.p_value())


def test_a_hole_costs_a_degree_of_freedom_and_biases_nothing() -> None:
    # Arm and seed effects without noise; the seed that is missing was the worst one.
    full = {"base": {1: 2.0, 2: 2.3, 3: 2.9}, "a": {1: 2.1, 2: 2.4}, "b": {1: 2.2, 2: 2.5, 3: 3.1}}

    found = block_differences(full, "base")

    assert found["a"].difference.value == pytest.approx(0.1)
    assert found["a"].freedom == 3


def test_one_seed_has_no_interval() -> None:
    found = block_differences({"base": {1: 2.0}, "a": {1: 2.5}}, "base")["a"]

    assert found.difference.value == pytest.approx(0.5)
    assert math.isnan(found.p_value)
    assert math.isnan(run_deviation({"base": {1: 2.0}, "a": {1: 2.5}})[0])


def test_an_arm_that_is_about_to_diverge_does_not_widen_the_others() -> None:
    wild = {**TABLE, "c": {1: 2.5, 2: 3.9, 3: 2.6}}

    calm, found = block_differences(TABLE, "base"), block_differences(wild, "base")

    assert found["c"].is_alone
    assert found["c"].freedom == 2
    assert found["a"].difference.high == pytest.approx(calm["a"].difference.high)


def test_intervals_hold_the_truth_and_equal_arms_are_rarely_told_apart() -> None:
    draw = np.random.default_rng(5)
    held = wrong = 0
    for _ in range(400):
        noise = draw.normal(0, 0.01, (4, 3)) + draw.normal(0, 0.05, 3)
        table = {f"arm{i}": dict(enumerate(row.tolist())) for i, row in enumerate(noise)}
        found = block_differences(table, "arm0")["arm1"]
        held += found.difference.low <= 0 <= found.difference.high
        wrong += found.p_value < 0.05

    assert 0.92 <= held / 400 <= 0.98
    assert wrong / 400 <= 0.08


def test_a_reference_without_a_run_is_refused() -> None:
    with pytest.raises(ValueError, match="reference base has no run"):
        block_differences({"base": {}, "a": {1: 2.0}}, "base")


def test_pairing_is_the_textbooks_test_of_blocks() -> None:
    values = np.array([list(row.values()) for row in TABLE.values()])
    of_seeds = 3 * ((values.mean(0) - values.mean()) ** 2).sum() / 2
    residuals = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    left = (residuals**2).sum() / 4

    found = pairing(TABLE)

    assert found is not None
    assert found.paired == pytest.approx(math.sqrt(left))
    assert found.unpaired == pytest.approx(math.sqrt(values.var(1, ddof=1).mean()))
    # With 2 degrees of freedom above, the F distribution has a closed form.
    assert found.p_value == pytest.approx((1 + 2 * of_seeds / left / 4) ** -2)
    assert found.saved_fraction == pytest.approx(1 - left / values.var(1, ddof=1).mean())


def test_pairing_of_independent_runs_saves_nothing_and_is_seldom_seen() -> None:
    draw = np.random.default_rng(3)
    tables = [
        {f"a{arm}": dict(enumerate(draw.normal(size=6))) for arm in range(3)} for _ in range(400)
    ]

    found = [one for table in tables if (one := pairing(table)) is not None]

    assert np.mean([one.p_value < 0.05 for one in found]) == pytest.approx(0.05, abs=0.03)
    assert np.mean([one.saved_fraction for one in found]) == pytest.approx(0, abs=0.05)


def test_pairing_is_unknown_without_two_arms_of_two_seeds() -> None:
    assert pairing({"a": {1: 2.0, 2: 2.1}, "b": {1: 2.0}}) is None
    assert pairing({"a": {1: 2.0, 2: 2.1}, "b": {3: 2.0, 4: 2.2}}) is None
