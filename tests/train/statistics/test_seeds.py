"""Seeds: t on their means covers, items alone do not, the bootstrap lies between."""

from __future__ import annotations

import math

import numpy as np
import pytest

from train.statistics.seeds import seed_difference
from train.statistics.signal import signal_to_noise


def test_t_on_the_means_of_seeds_is_the_pooled_test_of_the_textbook() -> None:
    first = np.array([[0.5, 0.7], [0.6, 0.8], [0.7, 0.9]])
    second = np.array([[0.4, 0.6], [0.4, 0.8], [0.6, 0.6]])

    found = seed_difference(first, second)

    # Means .6 .7 .8 against .5 .6 .6: pooled variance (.02 + .00667) / 4, t(4) at .975 is 2.776.
    error = math.sqrt((0.02 + 0.02 / 3) / 4 * 2 / 3)
    assert found.by_t.value == pytest.approx(0.4 / 3)
    assert found.by_t.standard_error == pytest.approx(error)
    assert found.by_t.high - found.by_t.value == pytest.approx(2.7764 * error, rel=1e-4)
    assert found.freedom == 4


def test_one_seed_says_nothing_of_another() -> None:
    found = seed_difference(np.ones((1, 30)), np.zeros((3, 30)))

    assert found.by_t.value == 1.0
    assert math.isnan(found.p_value)
    assert math.isnan(found.bootstrap[0])


def test_the_bootstrap_is_the_same_each_time() -> None:
    draw = np.random.default_rng(1)
    first, second = draw.random((3, 40)), draw.random((3, 40))

    assert seed_difference(first, second).bootstrap == seed_difference(first, second).bootstrap


def test_other_items_are_no_comparison() -> None:
    with pytest.raises(ValueError, match="same items"):
        seed_difference(np.ones((2, 30)), np.ones((2, 31)))


def test_t_on_seeds_covers_where_the_bootstrap_is_short() -> None:
    """Three seeds whose luck is more than the noise of their 60 items."""
    draw = np.random.default_rng(33)
    by_t = by_bootstrap = 0
    for _ in range(250):
        luck = draw.normal(0, 0.3, (2, 3, 1))
        first, second = draw.normal(luck, 0.5, (2, 3, 60))
        found = seed_difference(first, second, resamples=150)
        by_t += found.by_t.low <= 0 <= found.by_t.high
        by_bootstrap += found.bootstrap[0] <= 0 <= found.bootstrap[1]

    assert by_t / 250 >= 0.92
    assert by_bootstrap / 250 < 0.90


def test_clusters_widen_the_bootstrap() -> None:
    draw = np.random.default_rng(4)
    names = np.repeat(np.arange(8), 25)
    shared = draw.normal(0, 0.4, 8)[names]
    first, second = draw.normal(shared, 0.01, (3, 200)), np.zeros((3, 200))

    def width(ends: tuple[float, float]) -> float:
        return ends[1] - ends[0]

    clustered = seed_difference(first, second, clusters=names.tolist()).bootstrap
    assert width(clustered) > 3 * width(seed_difference(first, second).bootstrap)


def test_noise_is_taken_within_each_run() -> None:
    """Two runs .10 apart, whose checkpoints vary by .01: ten, though the pool varies by .05."""
    found = signal_to_noise({"a": [0.50, 0.51, 0.52], "b": [0.60, 0.61, 0.62]})

    assert found is not None
    assert found.ratio == pytest.approx(10.0)
    assert found.reason is None


def test_a_task_of_noise_says_why_it_decides_nothing() -> None:
    found = signal_to_noise({"a": [0.50, 0.53, 0.50, 0.53], "b": [0.52, 0.51, 0.54, 0.51]})

    assert found is not None
    assert found.reason is not None
    assert found.reason.startswith("signal to noise 0.32, below 2: 2 runs lie within 0.0050")


def test_too_few_checkpoints_measure_no_noise() -> None:
    assert signal_to_noise({"a": [0.5, 0.6, 0.5], "b": [0.5, 0.6]}) is None


def test_only_the_last_checkpoints_are_noise() -> None:
    rising = [0.1, 0.2, 0.3, 0.5, 0.5, 0.5, 0.5, 0.5]

    found = signal_to_noise({"a": rising, "b": [*rising[:3], *[0.6] * 5]})

    assert found is not None
    assert found.noise == 0.0
    assert found.ratio == math.inf
