"""What each detector takes for a spike, by literal curves."""

from __future__ import annotations

import math
import random

import pytest
from pydantic import ValidationError

from train.stability.config import (
    DetectorConfig,
    LastingConfig,
    MadConfig,
    MaxOfFirstConfig,
    SigmaConfig,
    StabilityConfig,
)
from train.stability.monitor import Readings, SpikeMonitor


def noise(count: int, *, level: float = 4.0, deviation: float = 0.05) -> list[float]:
    rng = random.Random(3)
    return [rng.gauss(level, deviation) for _ in range(count)]


def monitor_of(*detectors: DetectorConfig) -> SpikeMonitor:
    return SpikeMonitor(StabilityConfig(detectors=detectors))


def flags(monitor: SpikeMonitor, losses: list[float], norm: float = 1.0) -> list[int]:
    found = (monitor.judge(Readings(loss=loss, grad_norm=norm)) for loss in losses)
    return [step for step, finding in enumerate(found) if finding is not None]


@pytest.mark.parametrize(
    "detector",
    [SigmaConfig(signal="loss"), SigmaConfig(signal="loss", includes_current=True), MadConfig()],
)
def test_a_rise_of_thirty_deviations_is_flagged_and_a_fall_is_not(detector: DetectorConfig) -> None:
    losses = noise(300)
    losses[200], losses[250] = 4.0 + 30 * 0.05, 4.0 - 30 * 0.05

    assert flags(monitor_of(detector), losses) == [200]


def test_spikes_hide_behind_earlier_ones_where_they_enter_the_window() -> None:
    losses = noise(300)
    for step in (200, 210, 220, 230):
        losses[step] = 4.0 + 15 * 0.05

    assert flags(monitor_of(MadConfig()), losses) == [200, 210, 220, 230]
    inside = SigmaConfig(signal="loss", includes_current=True)
    assert flags(monitor_of(inside), losses) == [200, 210]  # by then they are the deviation


def test_a_value_inside_its_own_window_is_never_beyond_the_bound_of_its_size() -> None:
    with pytest.raises(ValidationError, match=r"never more than 7\.9 deviations"):
        SigmaConfig(sigmas=8, window=64, min_values=64, includes_current=True)


def test_eight_flags_in_a_row_are_the_new_level() -> None:
    losses = noise(200) + noise(100, level=5.0)
    monitor = monitor_of(MadConfig())

    assert flags(monitor, losses) == list(range(200, 208))


def test_ten_times_the_largest_of_the_first_hundred() -> None:
    losses = [5.0] * 50 + [6.0] * 100 + [60.0, 60.1]

    assert flags(monitor_of(MaxOfFirstConfig()), losses) == [151]


def test_divergence_is_told_once_for_each_level() -> None:
    losses = [3.0] * 100 + [4.0] * 200
    monitor = monitor_of(LastingConfig(window=64, factor=1.2))

    # The median of 64 turns with the 33rd higher value, and is judged a step later.
    assert flags(monitor, losses) == [133]


@pytest.mark.parametrize(
    ("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (4.0, math.inf), (4.0, math.nan)]
)
def test_what_is_no_number_is_told_from_the_first_step_and_never_enters(
    loss: float, norm: float
) -> None:
    monitor = monitor_of(MadConfig())
    before = monitor.state()

    finding = monitor.judge(Readings(loss=loss, grad_norm=norm))

    assert finding is not None
    assert finding.kind == "not_finite"
    assert monitor.state() == before


def test_the_gradient_norm_is_judged_by_its_logarithm() -> None:
    rng = random.Random(5)
    monitor = monitor_of(SigmaConfig(signal="log_grad_norm"))
    found = []
    for step in range(300):
        norm = math.exp(rng.gauss(0.0, 0.5)) * (math.exp(5.0) if step == 250 else 1.0)
        finding = monitor.judge(Readings(loss=4.0, grad_norm=norm))
        found += [step] if finding else []

    assert found == [250]


@pytest.mark.parametrize(
    "detector", [SigmaConfig(signal="loss"), MadConfig(), MaxOfFirstConfig(), LastingConfig()]
)
def test_a_detector_from_a_state_goes_on_as_if_it_had_never_stopped(
    detector: DetectorConfig,
) -> None:
    losses = [*noise(220), 9.0, 9.0, 9.0, *noise(50)]
    whole, first, second = (monitor_of(detector) for _ in range(3))
    expected = flags(whole, losses)

    early = flags(first, losses[:222])
    second.restore(first.state())
    late = flags(second, losses[222:])

    assert early + [222 + step for step in late] == expected


def test_a_wild_row_of_four_is_plain_by_itself_and_named() -> None:
    """The mean of four rows rises by a quarter of what the row rises by."""
    rng = random.Random(2)
    by_mean, by_row = monitor_of(MadConfig()), monitor_of(MadConfig(signal="row_loss"))
    found = []
    for step in range(200):
        rows = [rng.gauss(4.0, 0.2) for _ in range(4)]
        if step == 150:
            rows[2] += 1.6
        readings = Readings(
            loss=sum(rows) / 4, grad_norm=1.0, row_loss=max(rows), row_sample=4 * step + 2
        )
        assert by_mean.judge(readings) is None
        finding = by_row.judge(readings)
        found += [(step, finding.sample)] if finding else []

    assert found == [(150, 602)]
