"""How often do the intervals of a scaling ladder hold the truth, and what do they say of a ladder of small runs?

    python -m benchmarks.train.ladder_coverage [--trials 1000] [--bootstraps 100]

Ladders of five sizes from 0.3 to 1.5 M parameters, at 2 and 8 tokens per parameter, two seeds each, simulated from a known law with
the noise of such runs. Asked: the law's numbers, the loss of a run 4 times as large and 5 times as long as the largest, and the best size of its budget.
All intervals are nominally .9; the error of a simulated coverage is .9 points with 1,000 trials, 3 with 100.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.record import argument_parser, record
from train.scaling.law import Allocation, ScalingLaw
from train.scaling.points import LadderPoints
from train.scaling.projection import fit_by_projection
from train.scaling.uncertainty import ProfiledLaw, Range, bootstrap_laws, percentiles

TRUE = ScalingLaw(
    floor=1.7, size_factor=87.4, size_exponent=0.34, tokens_factor=291.5, tokens_exponent=0.37
)
SIZES = (3e5, 4.5e5, 6.7e5, 1e6, 1.5e6)
NOISES = (0.015, 0.025)
TARGET = Allocation(parameters=6e6, tokens=6e7)
BUDGET = 6 * TARGET.parameters * TARGET.tokens
TRUTH = {
    "E": TRUE.floor,
    "alpha": TRUE.size_exponent,
    "beta": TRUE.tokens_exponent,
    "loss of the target": float(TRUE.loss(TARGET.parameters, TARGET.tokens)),
    "best size of the budget": TRUE.best(BUDGET).parameters,
}


def main() -> None:
    """Simulate ladders, write how many intervals held."""
    parser = argument_parser(__doc__)
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument(
        "--bootstraps", type=int, default=100, help="trials with a bootstrap of 200"
    )
    args = parser.parse_args()
    record(
        "ladder_coverage",
        {
            "trials": args.trials,
            "bootstraps": args.bootstraps,
            "profile": {
                f"noise {noise}": _coverage(noise, args.trials, _profiled) for noise in NOISES
            },
            "bootstrap": {
                f"noise {noise}": _coverage(noise, args.bootstraps, _bootstrapped)
                for noise in NOISES
            },
        },
    )


def _ladder(noise: float, seed: int) -> LadderPoints:
    parameters = np.repeat([size for size in SIZES for _ in (2, 8)], 2)
    tokens = parameters * np.repeat([2 if i % 2 == 0 else 8 for i in range(10)], 2)
    losses = TRUE.loss(parameters, tokens)
    losses = losses + np.random.default_rng(seed).normal(0, noise, len(losses))
    return LadderPoints(parameters=parameters, tokens=tokens, losses=losses, counted="all")


def _profiled(points: LadderPoints) -> dict[str, Range]:
    profiled = ProfiledLaw(points)
    return {
        "E": profiled.floor(),
        "alpha": profiled.exponent(0),
        "beta": profiled.exponent(1),
        "loss of the target": profiled.loss(TARGET.parameters, TARGET.tokens),
        "best size of the budget": profiled.best_parameters(BUDGET),
    }


def _bootstrapped(points: LadderPoints) -> dict[str, Range]:
    laws = bootstrap_laws(points, fit_by_projection(points), resamples=200)
    return {
        "E": percentiles(laws, lambda law: law.floor),
        "alpha": percentiles(laws, lambda law: law.size_exponent),
        "beta": percentiles(laws, lambda law: law.tokens_exponent),
        "loss of the target": percentiles(
            laws, lambda law: float(law.loss(TARGET.parameters, TARGET.tokens))
        ),
        "best size of the budget": percentiles(laws, lambda law: law.best(BUDGET).parameters),
    }


def _coverage(noise: float, trials: int, intervals: Any) -> dict[str, dict[str, float]]:
    held = dict.fromkeys(TRUTH, 0)
    lengths: dict[str, list[float]] = {name: [] for name in TRUTH}
    for trial in range(trials):
        for name, interval in intervals(_ladder(noise, trial)).items():
            held[name] += interval.holds(TRUTH[name])
            lengths[name].append(interval.high - interval.low)
    return {
        name: {
            "held": round(held[name] / trials, 4),
            "median_length": float(f"{np.median(lengths[name]):.4g}"),
        }
        for name in TRUTH
    }


if __name__ == "__main__":
    main()
