"""How often do the intervals of `train.statistics` hold the truth, and how often do tests call equal models different?

    python -m benchmarks.train.interval_coverage [--trials 2000]

Simulated right-or-wrong items of a known rate: independent ones near the ends, clusters of equal and of very unequal
size (lognormal, sigma 1) with an intra-cluster correlation of .3, and seeds that vary less or more than their items tell. All
intervals are nominally .95; the error of a simulated coverage is .5 points with 2,000 trials.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np

from benchmarks.record import argument_parser, record
from train.statistics.intervals import mean_interval, wilson
from train.statistics.paired import mcnemar, paired_difference
from train.statistics.seeds import seed_difference

CORRELATION = 0.3
# Beta(a, a) gives items of a cluster the correlation 1 / (2a + 1).
SHAPE = (1 / CORRELATION - 1) / 2
Z = NormalDist().inv_cdf(0.975)


def main() -> None:
    """Simulate all, write the result."""
    parser = argument_parser(__doc__)
    parser.add_argument("--trials", type=int, default=2_000)
    trials = parser.parse_args().trials
    draw = np.random.default_rng(1)
    record(
        "interval_coverage",
        {
            "trials": trials,
            "shares": {f"{rate} of {items}": _share(draw, rate, items, trials)
                       for rate in (0.01, 0.05, 0.25, 0.5) for items in (20, 100)},
            "clusters": {f"{count} {kind}": _clusters(draw, count, 1.0 if kind == "unequal" else 0.0, trials)
                         for kind in ("equal", "unequal") for count in (5, 10, 30, 67)},
            "false_alarms_67_clusters_of_20": _false_alarms(draw, trials // 2),
            "seeds": {f"{seeds} seeds, deviation {luck}": _seeds(draw, seeds, luck, trials // 4)
                      for luck in (0.03, 0.3) for seeds in (2, 3, 5)},
        },
    )  # fmt: skip


def _share(draw: np.random.Generator, rate: float, items: int, trials: int) -> dict[str, float]:
    held = wald = 0
    for right in draw.binomial(items, rate, trials).tolist():
        found = wilson(right, items)
        held += found.low <= rate <= found.high
        wald += abs(found.value - rate) <= Z * found.standard_error
    return {"wilson": held / trials, "normal": wald / trials}


def _clusters(
    draw: np.random.Generator, count: int, spread: float, trials: int
) -> dict[str, float]:
    held = naive = normal = 0
    for _ in range(trials):
        # The mean is 20, whatever the spread.
        sizes = draw.lognormal(math.log(20) - spread**2 / 2, spread, count).round().astype(int)
        sizes = np.maximum(1, sizes)
        names = np.repeat(np.arange(count), sizes)
        values = (draw.random(len(names)) < draw.beta(SHAPE, SHAPE, count)[names]).astype(float)
        found, apart = mean_interval(values, clusters=names.tolist()), mean_interval(values)
        held += found.low <= 0.5 <= found.high
        # Without the factor C/(C-1), and with z for t.
        bare = found.standard_error * math.sqrt((count - 1) / count)
        normal += abs(found.value - 0.5) <= Z * bare
        naive += apart.low <= 0.5 <= apart.high
    return {"t": held / trials, "z": normal / trials, "items alone": naive / trials}


def _false_alarms(draw: np.random.Generator, trials: int) -> dict[str, float]:
    """Two models of one accuracy whose strengths differ by paradigm."""
    names = np.repeat(np.arange(67), 20).tolist()
    by_test = {"t on clusters": 0, "McNemar": 0}
    for _ in range(trials):
        rates = draw.beta(2, 2, (2, 67))
        first, second = (draw.random((2, 67, 20)) < rates[:, :, None]).reshape(2, -1).astype(float)
        by_test["t on clusters"] += paired_difference(first, second, clusters=names).p_value < 0.05
        by_test["McNemar"] += mcnemar(first.tolist(), second.tolist()) < 0.05
    return {name: count / trials for name, count in by_test.items()}


def _seeds(draw: np.random.Generator, seeds: int, luck: float, trials: int) -> dict[str, Any]:
    by_t = by_bootstrap = by_items = 0
    for _ in range(trials):
        first, second = draw.normal(draw.normal(0, luck, (2, seeds, 1)), 0.5, (2, seeds, 60))
        found = seed_difference(first, second, resamples=300)
        items = mean_interval(first.mean(0) - second.mean(0))
        by_t += found.by_t.low <= 0 <= found.by_t.high
        by_bootstrap += found.bootstrap[0] <= 0 <= found.bootstrap[1]
        by_items += items.low <= 0 <= items.high
    return {
        "t": by_t / trials,
        "bootstrap": by_bootstrap / trials,
        "items alone": by_items / trials,
    }


if __name__ == "__main__":
    main()
