"""Two models on the same items: their difference, whether it is told from zero, what could be found.

A difference that is not told apart is a result: it says how large it can be at most.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from train.statistics.distributions import sign_test, t_quantile
from train.statistics.intervals import LEVEL, Estimate, Floats, mean_interval

NOT_TOLD_APART = "not told apart"
# The correlation of two models' items where nothing is known of it: Miller 2024 found .3 to .7 of
# models that differ, and two runs of one recipe agree more.
USUAL_CORRELATION = 0.5


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """The mean of first minus second over the same items.

    Attributes:
        difference: With its interval.
        p_value: Of no difference; NaN where there is one independent item.
        test: How the probability was found.
        correlation: Of the two models' items; NaN where one of them is the same everywhere.
        wins: Number of items on which the first is better.
        losses: Number of items on which the second is better.
    """

    difference: Estimate
    p_value: float
    test: str
    correlation: float
    wins: int
    losses: int

    @property
    def verdict(self) -> str:
        """`higher`, `lower` or `not told apart`: the first beside the second."""
        return verdict_of(self.difference, self.p_value, alpha=1 - self.difference.level)


def verdict_of(difference: Estimate, p_value: float, *, alpha: float) -> str:
    """What a difference and its probability, corrected or not, allow to say of the first."""
    if math.isnan(p_value) or p_value > alpha:
        return NOT_TOLD_APART
    return "higher" if difference.value > 0 else "lower"


def paired_difference(
    first: Sequence[float] | Floats,
    second: Sequence[float] | Floats,
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = LEVEL,
) -> PairedDifference:
    """Compare two models item by item.

    Independent right-or-wrong items are tested by McNemar's exact test, others by Student's t on the
    differences (summed over clusters, where there are some: intervals.py). McNemar's test calls a
    third of equal models different on 67 clusters of 20, so it is not used there.

    Args:
        first: The first model's figure for each item.
        second: The second model's, for the same items in the same order.
        clusters: What each item belongs to; None where the items are independent.
        level: How many of such intervals hold the true difference.

    Raises:
        ValueError: The two do not have the same number of items, or none.
    """
    first_N, second_N = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first_N.shape != second_N.shape or not len(first_N):
        raise ValueError(f"need the same items, got {first_N.shape} and {second_N.shape}")
    change_N = first_N - second_N
    difference = mean_interval(change_N, clusters=clusters, level=level)
    wins, losses = int((change_N > 0).sum()), int((change_N < 0).sum())
    is_binary = bool(np.isin(np.concatenate([first_N, second_N]), (0.0, 1.0)).all())
    if clusters is None and is_binary:
        p_value, test = sign_test(wins, losses), "McNemar, exact"
    else:
        p_value = difference.p_value()
        unit = "items" if clusters is None else "clusters"
        test = f"t on {difference.units:,} {unit}"
    return PairedDifference(
        difference=difference,
        p_value=p_value,
        test=test,
        correlation=_correlation(first_N, second_N),
        wins=wins,
        losses=losses,
    )


def _correlation(first_N: Floats, second_N: Floats) -> float:
    spread = float(first_N.std() * second_N.std())
    if spread == 0:
        return math.nan
    covariance = float(((first_N - first_N.mean()) * (second_N - second_N.mean())).mean())
    return covariance / spread


def mcnemar(
    first: Sequence[float], second: Sequence[float], *, clusters: Sequence[Hashable] | None = None
) -> float:
    """Probability of the discordant items under no difference, exact and two-sided.

    Raises:
        ValueError: The items come in clusters: the test takes them for independent.
    """
    if clusters is not None and len(set(clusters)) < len(clusters):
        raise ValueError(
            "McNemar's test needs independent items; compare clustered ones with paired_difference"
        )
    return sign_test(
        sum(a > b for a, b in zip(first, second, strict=True)),
        sum(a < b for a, b in zip(first, second, strict=True)),
    )


@dataclass(frozen=True, kw_only=True)
class Design:
    """What is known of a comparison before it is run.

    Attributes:
        items: Number of items that both models answer.
        clusters: Number of clusters; None where the items are independent.
        base_rate: Expected share of right answers; chance, where nothing is known.
        correlation: Expected correlation of the two models' items.
        within: Correlation of the differences of two items of one cluster.
    """

    items: int
    clusters: int | None = None
    base_rate: float = 0.5
    correlation: float = USUAL_CORRELATION
    within: float = 0.1

    def __post_init__(self) -> None:
        if not (self.items > 0 and 0 < self.base_rate < 1 and -1 <= self.correlation < 1):
            raise ValueError(f"need items > 0, 0 < base_rate < 1, correlation < 1, got {self}")
        if self.clusters is not None and not 1 <= self.clusters <= self.items:
            raise ValueError(f"need 1 <= clusters <= items, got {self}")


def smallest_effect(design: Design, *, power: float = 0.8, level: float = LEVEL) -> float:
    """The smallest true difference of two accuracies that the comparison finds with that power.

    About 2.8 sqrt(2p(1-p)(1-r)/n) for independent items; clusters multiply the variance by
    1 + (items per cluster - 1) x `within`. Infinite where there are not two independent units.
    """
    units = design.items if design.clusters is None else design.clusters
    p = design.base_rate
    variance = 2 * p * (1 - p) * (1 - design.correlation) / design.items
    variance *= 1 + (design.items / units - 1) * design.within
    return detectable(math.sqrt(variance), units, power=power, level=level)


def detectable(
    standard_error: float, units: int, *, power: float = 0.8, level: float = LEVEL
) -> float:
    """The smallest true difference that is found with that power, from a difference's standard error.

    Args:
        standard_error: Of the difference.
        units: Number of independent observations that it was estimated from.
        power: How often the difference is found.
        level: Of the interval that must not hold zero.
    """
    if units < 2 or math.isnan(standard_error):
        return math.inf
    reach = NormalDist().inv_cdf(power) + t_quantile(0.5 + level / 2, units - 1)
    return reach * standard_error
