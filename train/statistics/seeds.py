"""Several seeds of each recipe: what differs between two recipes beyond the luck of a run.

Items tell how exactly a run was measured, not how another seed of the same recipe would come out. In simulations
(benchmarks/train/interval_coverage.py) Student's t on the means of the seeds covers .94 to .97, whether seeds vary or not. The
hierarchical bootstrap covers .76, .83 and .92 with 2, 3 and 5 seeds that vary more than their items tell, and .98 and
more where seeds hardly vary; the interval over items covers a third. So t decides, and the bootstrap stands beside it.

Shapes: K seeds, N items, C clusters, R resamples.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.statistics.distributions import t_quantile
from train.statistics.intervals import LEVEL, Estimate, Floats

Int64s = NDArray[np.int64]
# Counts of drawn clusters that are held at once.
_MOST_COUNTS = 4_000_000


@dataclass(frozen=True, kw_only=True)
class SeedDifference:
    """First recipe minus second, over their seeds.

    Attributes:
        by_t: From the means of the seeds; it decides.
        freedom: Its degrees of freedom.
        p_value: Of no difference, by t; NaN with one seed.
        bootstrap: Ends of the percentile interval over seeds and items; NaN with one seed.
    """

    by_t: Estimate
    freedom: int
    p_value: float
    bootstrap: tuple[float, float]


def seed_difference(
    first_KN: Floats,
    second_KN: Floats,
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = LEVEL,
    resamples: int = 1_000,
) -> SeedDifference:
    """Compare two recipes of several seeds each on the same items.

    The variances of both are pooled: 2(K - 1) degrees of freedom with K seeds each.

    Args:
        first_KN: A row for each seed of the first recipe, a column for each item.
        second_KN: The second recipe's; it may have another number of seeds.
        clusters: What each item belongs to, for the bootstrap.
        level: How many of such intervals hold the true difference.
        resamples: Resamples of the bootstrap; the draws depend on nothing but the shapes.

    Raises:
        ValueError: The two were not measured on the same number of items.
    """
    if first_KN.shape[1] != second_KN.shape[1]:
        raise ValueError(f"need the same items, got {first_KN.shape} and {second_KN.shape}")
    first_K, second_K = first_KN.mean(1), second_KN.mean(1)
    value = float(first_K.mean() - second_K.mean())
    freedom = len(first_K) + len(second_K) - 2
    error = half = math.nan
    ends = (math.nan, math.nan)
    if min(len(first_K), len(second_K)) > 1:
        squares = ((first_K - first_K.mean()) ** 2).sum() + (
            (second_K - second_K.mean()) ** 2
        ).sum()
        error = math.sqrt(float(squares) / freedom * (1 / len(first_K) + 1 / len(second_K)))
        half = t_quantile(0.5 + level / 2, freedom) * error
        ends = _bootstrap(first_KN, second_KN, clusters, level=level, resamples=resamples)
    by_t = Estimate(
        value=value,
        low=value - half,
        high=value + half,
        standard_error=error,
        items=freedom + 1,  # so that its p-value has the freedom of the seeds
        level=level,
    )
    return SeedDifference(by_t=by_t, freedom=freedom, p_value=by_t.p_value(), bootstrap=ends)


def _bootstrap(
    first_KN: Floats,
    second_KN: Floats,
    clusters: Sequence[Hashable] | None,
    *,
    level: float,
    resamples: int,
) -> tuple[float, float]:
    """Resample the seeds of each recipe and, for both alike, the clusters of items."""
    draw = np.random.default_rng(20_071)
    names = range(first_KN.shape[1]) if clusters is None else clusters
    numbers: dict[Hashable, int] = {}
    index_N = np.array([numbers.setdefault(name, len(numbers)) for name in names])
    size_C = np.bincount(index_N).astype(np.float64)
    first_KC, second_KC = _by_cluster(first_KN, index_N), _by_cluster(second_KN, index_N)
    clusters_drawn = len(size_C)
    block = max(1, _MOST_COUNTS // clusters_drawn)
    differences = []
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        even = np.full(clusters_drawn, 1 / clusters_drawn)
        times_RC = draw.multinomial(clusters_drawn, even, size=rows).astype(np.float64)
        items_R1 = (times_RC @ size_C)[:, None]
        first_RK, second_RK = times_RC @ first_KC.T / items_R1, times_RC @ second_KC.T / items_R1
        differences.append(_mean_of_drawn(first_RK, draw) - _mean_of_drawn(second_RK, draw))
    low, high = np.quantile(np.concatenate(differences), [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def _mean_of_drawn(scores_RK: Floats, draw: np.random.Generator) -> Floats:
    """The mean of as many seeds as there are, drawn anew in each resample."""
    picks_RK = draw.integers(scores_RK.shape[1], size=scores_RK.shape)
    return np.asarray(np.take_along_axis(scores_RK, picks_RK, axis=1).mean(1), np.float64)


def _by_cluster(values_KN: Floats, index_N: Int64s) -> Floats:
    return np.stack([np.bincount(index_N, weights=row_N) for row_N in values_KN])
