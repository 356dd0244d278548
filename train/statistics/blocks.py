"""Arms in blocks of equal seeds: differences to a reference, the variance of a run pooled over the whole table.

Each run is arm + seed + noise; the noise is that of all arms together, so three seeds of ten arms know it with twenty
degrees of freedom where one pair of arms has two, and the smallest effect that is found halves. An arm whose noise is
of another size, as one that is about to diverge, would make all intervals wide: it is judged alone. Holes in the
table are allowed; what is left is fitted by least squares.

Shapes: N runs, P parameters of the fit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import variance

import numpy as np

from train.statistics.distributions import f_upper, t_quantile
from train.statistics.intervals import LEVEL, Estimate, Floats, mean_interval

# An arm's variance beyond so many times that of the others is of another kind: by chance with 2 degrees of
# freedom against many in 1 of 20,000 tables.
OTHER_KIND = 10.0
Table = Mapping[str, Mapping[int, float]]


@dataclass(frozen=True, kw_only=True)
class BlockDifference:
    """An arm minus the reference.

    Attributes:
        difference: With its interval; its `items` are the degrees of freedom and one.
        freedom: Degrees of freedom of the variance.
        is_alone: Whether its variance is its own, not the table's.
    """

    difference: Estimate
    freedom: int
    is_alone: bool

    @property
    def p_value(self) -> float:
        """Probability of no difference; NaN where nothing is known of the noise."""
        return self.difference.p_value()


def block_differences(
    table: Table, reference: str, *, level: float = LEVEL
) -> dict[str, BlockDifference]:
    """Every arm minus the reference.

    Args:
        table: Arm -> seed -> the figure of the run; runs that failed are left out.
        reference: Name of the arm that the others are held against.
        level: How many of such intervals hold the true difference.

    Raises:
        ValueError: The reference has no run.
    """
    if not table.get(reference):
        raise ValueError(f"the reference {reference} has no run")
    arms = {name: values for name, values in table.items() if values}
    alone = _of_other_kind(arms, reference)
    pooled = {name: values for name, values in arms.items() if name not in alone}
    found = _fitted(pooled, reference, level)
    for name in alone:
        found[name] = _of_pairs(arms[name], arms[reference], level)
    return {name: found[name] for name in arms if name != reference}


def run_deviation(table: Table) -> tuple[float, int]:
    """Standard deviation of a run beyond its arm and its seed, and its degrees of freedom; NaN without any."""
    arms = {name: values for name, values in table.items() if values}
    fit = _fit(arms)
    return math.sqrt(fit.variance) if fit.freedom else math.nan, fit.freedom


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """What runs of equal seeds share: initial weights, and the order of what their data have in common.

    Attributes:
        paired: Deviation of a run beyond its arm and its seed, which differences of equal seeds have.
        unpaired: Deviation of a run beyond its arm, which differences of any seeds have.
        p_value: Probability of seeds that differ so much where they share nothing (F test); NaN where it is not known.
    """

    paired: float
    unpaired: float
    p_value: float

    @property
    def saved_fraction(self) -> float:
        """Share of a difference's variance that pairing takes away; below zero where it takes none."""
        return 1 - (self.paired / self.unpaired) ** 2 if self.unpaired else math.nan


def pairing(table: Table) -> Pairing | None:
    """Whether runs of equal seeds are alike beyond their arms; None before two arms have two seeds in common.

    Args:
        table: Arm -> seed -> the figure of the run; runs that failed are left out.
    """
    arms = {name: values for name, values in table.items() if len(values) > 1}
    shared = set.intersection(*map(set, arms.values())) if arms else set()
    if len(arms) < 2 or len(shared) < 2:
        return None
    fit = _fit(arms)
    squares = sum((len(own) - 1) * variance(own.values()) for own in arms.values())
    freedom = sum(len(own) - 1 for own in arms.values())
    left = fit.variance * fit.freedom
    of_seeds = freedom - fit.freedom
    ratio = (squares - left) / of_seeds / fit.variance if fit.variance else math.inf
    return Pairing(
        paired=math.sqrt(fit.variance),
        unpaired=math.sqrt(squares / freedom),
        p_value=f_upper(ratio, of_seeds, fit.freedom),
    )


def _of_other_kind(arms: Table, reference: str) -> set[str]:
    """Arms whose pairs with the reference vary far more than the rest of the table."""
    alone: set[str] = set()
    for name, values in arms.items():
        others = {one: arms[one] for one in arms if one != name and one not in alone}
        if name == reference or len(others) < 2:
            continue
        pairs = _pairs(values, arms[reference])
        rest = _fit(others)
        is_known = len(pairs) > 1 and rest.freedom > 1
        if is_known and variance(pairs) / 2 > OTHER_KIND * rest.variance:
            alone.add(name)
    return alone


def _pairs(values: Mapping[int, float], reference: Mapping[int, float]) -> list[float]:
    return [values[seed] - reference[seed] for seed in sorted(values) if seed in reference]


def _of_pairs(
    values: Mapping[int, float], reference: Mapping[int, float], level: float
) -> BlockDifference:
    pairs = _pairs(values, reference)
    found = mean_interval(pairs, level=level)
    return BlockDifference(difference=found, freedom=len(pairs) - 1, is_alone=True)


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """The table as arm + seed.

    Attributes:
        columns: Parameter of each arm.
        values: The fitted parameters, [P].
        inverse: Their covariance in units of the variance, [P, P].
    """

    columns: dict[str, int]
    values: Floats
    inverse: Floats
    variance: float
    freedom: int


def _fit(arms: Table) -> _Fit:
    """Least squares of all runs by arm and seed; the first seed's effect is part of the arms'."""
    seeds = sorted({seed for values in arms.values() for seed in values})
    columns = {name: index for index, name in enumerate(arms)}
    rows, figures = [], []
    for name, values in arms.items():
        for seed, value in values.items():
            row = np.zeros(len(arms) + len(seeds) - 1)
            row[columns[name]] = 1.0
            if seeds.index(seed):
                row[len(arms) + seeds.index(seed) - 1] = 1.0
            rows.append(row)
            figures.append(value)
    design_NP, values_N = np.array(rows), np.array(figures)
    fitted_P, *_ = np.linalg.lstsq(design_NP, values_N, rcond=None)
    freedom = len(values_N) - int(np.linalg.matrix_rank(design_NP))
    squares = float(((values_N - design_NP @ fitted_P) ** 2).sum())
    return _Fit(
        columns=columns,
        values=fitted_P,
        inverse=np.asarray(np.linalg.pinv(design_NP.T @ design_NP), np.float64),
        variance=squares / freedom if freedom else math.nan,
        freedom=freedom,
    )


def _fitted(arms: Table, reference: str, level: float) -> dict[str, BlockDifference]:
    fit = _fit(arms)
    return {
        name: _difference(fit, fit.columns[name], fit.columns[reference], level)
        for name in arms
        if name != reference
    }


def _difference(fit: _Fit, first: int, second: int, level: float) -> BlockDifference:
    value = float(fit.values[first] - fit.values[second])
    error = half = math.nan
    if fit.freedom:
        units: Sequence[float] = (
            fit.inverse[first, first],
            fit.inverse[second, second],
            -2 * fit.inverse[first, second],
        )
        error = math.sqrt(max(0.0, fit.variance * float(sum(units))))
        half = t_quantile(0.5 + level / 2, fit.freedom) * error
    estimate = Estimate(
        value=value,
        low=value - half,
        high=value + half,
        standard_error=error,
        items=fit.freedom + 1,  # so that its p-value has the freedom of the table
        level=level,
    )
    return BlockDifference(difference=estimate, freedom=fit.freedom, is_alone=False)
