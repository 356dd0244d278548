"""Intervals of a share, of a mean, and of a ratio of sums, where items may come in clusters.

Items of one paradigm, passage or document are alike: their number is not the number of independent
observations. A cluster's deviations are summed before they are squared, with the factor C/(C-1) and
Student's t with C - 1 degrees of freedom. Simulated 95 % intervals of equal clusters then hold the truth in .94 to .95
of cases from 5 clusters on, where those of independent items do in .51 to .55; of very unequal ones in .82 with
5, .87 with 10, .90 with 30 and .92 with 67 (benchmarks/train/interval_coverage.py).

Shapes: N items, C clusters.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from train.statistics.distributions import t_quantile, t_two_sided

Floats = NDArray[np.float64]
LEVEL = 0.95
# Below these, intervals of unequal clusters are too short.
ENOUGH_CLUSTERS = 30


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure and how sure it is.

    Attributes:
        low: Lower end of the interval; NaN where nothing is known of the spread.
        high: Upper end of the interval.
        standard_error: NaN where there are fewer than two independent units.
        items: Number of observations.
        clusters: Number of clusters; None where the items are independent of each other.
        level: How many of such intervals hold the true value.
    """

    value: float
    low: float
    high: float
    standard_error: float
    items: int
    clusters: int | None = None
    level: float = LEVEL

    @property
    def units(self) -> int:
        """Number of independent observations: of clusters where there are some, else of items."""
        return self.items if self.clusters is None else self.clusters

    @property
    def warning(self) -> str | None:
        """What a reader should know before the interval is believed."""
        if self.units < 2:
            return "one independent observation: no interval"
        if self.clusters is not None and self.clusters < ENOUGH_CLUSTERS:
            return (
                f"{self.clusters} clusters, below {ENOUGH_CLUSTERS}: the interval may be too short"
            )
        return None

    def p_value(self, against: float = 0.0) -> float:
        """Probability of a value at least as far from `against` by chance; NaN without a spread."""
        if math.isnan(self.standard_error):
            return math.nan
        if self.standard_error == 0:
            return 1.0 if self.value == against else 0.0
        return t_two_sided((self.value - against) / self.standard_error, self.units - 1)


def wilson(successes: float, trials: int, *, level: float = LEVEL) -> Estimate:
    """A share of independent trials with Wilson's score interval (1927); ties may count as halves.

    It covers .92 to .99 where the interval p +- 1.96 sqrt(p(1-p)/n) covers .18 to .96.

    Raises:
        ValueError: There is no trial, or more successes than trials.
    """
    if not (trials > 0 and 0 <= successes <= trials):
        raise ValueError(f"need 0 <= successes <= trials > 0, got {successes} of {trials}")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / trials
    widened = 1 + z * z / trials
    centre = (share + z * z / (2 * trials)) / widened
    half = z / widened * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    return Estimate(
        value=share,
        low=0.0 if successes == 0 else max(0.0, centre - half),
        high=1.0 if successes == trials else min(1.0, centre + half),
        standard_error=math.sqrt(share * (1 - share) / trials),
        items=trials,
        level=level,
    )


def mean_interval(
    values: Sequence[float] | Floats,
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = LEVEL,
) -> Estimate:
    """The mean of items, each of the same weight.

    Args:
        values: One figure for each item.
        clusters: What each item belongs to; None where the items are independent.
        level: How many of such intervals hold the true mean.
    """
    values_N = np.asarray(values, dtype=np.float64)
    return ratio_interval(values_N, np.ones_like(values_N), clusters=clusters, level=level)


def ratio_interval(
    parts: Sequence[float] | Floats,
    wholes: Sequence[float] | Floats,
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = LEVEL,
) -> Estimate:
    """A sum over another sum, as bits over bytes: the error by the linearised ratio (Cochran 1977, 6.4).

    Args:
        parts: What each item adds above the line.
        wholes: What each item adds below the line.
        clusters: What each item belongs to; None where the items are independent.
        level: How many of such intervals hold the true ratio.

    Raises:
        ValueError: There is no item, the two differ in length, or the sum below the line is not positive.
    """
    parts_N = np.asarray(parts, dtype=np.float64)
    wholes_N = np.asarray(wholes, dtype=np.float64)
    if parts_N.shape != wholes_N.shape or parts_N.ndim != 1 or not len(parts_N):
        raise ValueError(f"need as many parts as wholes, got {parts_N.shape}, {wholes_N.shape}")
    whole = float(wholes_N.sum())
    if not whole > 0:
        raise ValueError(f"the sum below the line is {whole}; expected a positive one")
    ratio = float(parts_N.sum()) / whole
    residuals_C = sums_by_cluster(parts_N - ratio * wholes_N, clusters)
    units = len(residuals_C)
    error = math.nan
    half = math.nan
    if units > 1:
        error = math.sqrt(units / (units - 1) * float((residuals_C**2).sum())) / whole
        half = t_quantile(0.5 + level / 2, units - 1) * error
    return Estimate(
        value=ratio,
        low=ratio - half,
        high=ratio + half,
        standard_error=error,
        items=len(parts_N),
        clusters=None if clusters is None else units,
        level=level,
    )


def sums_by_cluster(values_N: Floats, clusters: Sequence[Hashable] | None) -> Floats:
    """The sum of each cluster's values, clusters in the order of their first items.

    Raises:
        ValueError: There are not as many names of clusters as values.
    """
    if clusters is None:
        return values_N
    if len(clusters) != len(values_N):
        raise ValueError(f"{len(values_N)} items, {len(clusters)} names of clusters")
    numbers: dict[Hashable, int] = {}
    index_N = np.array([numbers.setdefault(name, len(numbers)) for name in clusters])
    return np.asarray(np.bincount(index_N, weights=values_N), np.float64)
