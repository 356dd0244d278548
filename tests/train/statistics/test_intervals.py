"""Intervals: published values, brute force, and how often they hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from train.statistics.intervals import mean_interval, ratio_interval, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe 1998, table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(
    successes: int, trials: int, low: float, high: float
) -> None:
    found = wilson(successes, trials)

    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_wilson_of_all_right_is_not_certain() -> None:
    found = wilson(12, 12)

    assert found.high == 1.0
    assert 0.7 < found.low < 0.8


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (3, 2), (-1, 4)])
def test_wilson_refuses_what_is_no_share(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson(successes, trials)


def test_independent_items_have_the_error_of_the_textbook() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 0.25]

    found = mean_interval(values)

    assert found.standard_error == pytest.approx(np.std(values, ddof=1) / math.sqrt(6))
    # t(5) at .975 is 2.5706.
    assert found.high - found.value == pytest.approx(2.5706 * found.standard_error, rel=1e-4)


def test_a_cluster_is_one_observation_of_its_items() -> None:
    """Equal clusters: the error is that of the means of the clusters, whatever they hold."""
    values = [1, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1]
    clusters = ["a"] * 3 + ["b"] * 3 + ["c"] * 3 + ["d"] * 3

    found = mean_interval(values, clusters=clusters)

    means = [1.0, 0.0, 2 / 3, 1 / 3]
    assert found.standard_error == pytest.approx(np.std(means, ddof=1) / 2)
    assert found.clusters == 4
    assert found.warning is not None
    assert "4 clusters, below 30" in found.warning


def test_clusters_of_one_item_each_change_nothing() -> None:
    values = np.random.default_rng(3).random(50)

    apart, named = mean_interval(values), mean_interval(values, clusters=range(50))

    assert named.standard_error == pytest.approx(apart.standard_error)
    assert named.warning is None


def test_one_cluster_has_no_interval() -> None:
    found = mean_interval([1, 0, 1], clusters=["a", "a", "a"])

    assert math.isnan(found.low)
    assert math.isnan(found.p_value())
    assert found.warning == "one independent observation: no interval"


def test_a_ratio_has_the_error_of_a_bootstrap_over_documents() -> None:
    draw = np.random.default_rng(7)
    sizes = draw.lognormal(5, 0.6, 80)
    bits = sizes * draw.normal(2.0, 0.3, 80)

    found = ratio_interval(bits, sizes)

    picks = draw.integers(80, size=(4_000, 80))
    resampled = bits[picks].sum(1) / sizes[picks].sum(1)
    assert found.value == pytest.approx(bits.sum() / sizes.sum())
    assert found.standard_error == pytest.approx(resampled.std(), rel=0.06)


def test_a_clustered_mean_has_the_error_of_a_bootstrap_over_clusters() -> None:
    draw = np.random.default_rng(11)
    clusters = np.repeat(np.arange(60), draw.integers(5, 25, 60))
    values = (draw.random(60)[clusters] > draw.random(len(clusters))).astype(float)

    found = mean_interval(values, clusters=clusters.tolist())

    sums, sizes = np.bincount(clusters, weights=values), np.bincount(clusters)
    picks = draw.integers(60, size=(4_000, 60))
    resampled = sums[picks].sum(1) / sizes[picks].sum(1)
    assert found.standard_error == pytest.approx(resampled.std(), rel=0.06)


@pytest.mark.parametrize("num_clusters", [5, 10, 30])
def test_95_of_100_clustered_intervals_hold_the_truth(num_clusters: int) -> None:
    """Where independent items would cover half of the time: 20 items each, correlation .3."""
    draw = np.random.default_rng(num_clusters)
    clusters = np.repeat(np.arange(num_clusters), 20).tolist()
    held = naive = 0
    for _ in range(600):
        # Beta(a, a) gives items of a cluster the correlation 1 / (2a + 1).
        rates = draw.beta(7 / 6, 7 / 6, num_clusters)
        values = (draw.random((num_clusters, 20)) < rates[:, None]).astype(float).ravel()
        found, apart = mean_interval(values, clusters=clusters), mean_interval(values)
        held += found.low <= 0.5 <= found.high
        naive += apart.low <= 0.5 <= apart.high

    assert 0.92 <= held / 600 <= 0.97
    assert naive / 600 < 0.70


def test_wilson_holds_the_truth_near_the_ends_where_the_normal_interval_does_not() -> None:
    trials, truth = 40, 0.03
    outcomes = np.random.default_rng(5).binomial(trials, truth, 4_000)
    found = [wilson(int(right), trials) for right in range(trials + 1)]
    held = np.array([one.low <= truth <= one.high for one in found])[outcomes].mean()
    normal = np.array([abs(one.value - truth) <= 1.96 * one.standard_error for one in found])

    assert held >= 0.92
    assert normal[outcomes].mean() < 0.75


@pytest.mark.parametrize(
    ("parts", "wholes", "clusters", "words"),
    [
        ([], [], None, "as many parts"),
        ([1.0], [1.0, 2.0], None, "as many parts"),
        ([1.0], [0.0], None, "positive"),
        ([1.0, 2.0], [1.0, 1.0], ["a"], "2 items, 1 names"),
    ],
)
def test_what_is_no_ratio_is_refused(
    parts: list[float], wholes: list[float], clusters: list[str] | None, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        ratio_interval(parts, wholes, clusters=clusters)
