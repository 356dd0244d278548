"""Repeated looks at one comparison: the level of each look that keeps the level of all of them (Pocock 1977)."""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from train.statistics.intervals import Floats

_STEP, _REACH = 0.1, 16.0


@lru_cache(maxsize=64)
def pocock_level(alpha: float, looks: int) -> float:
    """The one-sided probability that each of some equally spaced looks may use, for `alpha` over all.

    Found by bisection on the chance that a random walk of `looks` equal steps, scaled to unit variance, is above the same
    bound at any look (Armitage, McPherson and Rowe 1969). For alpha .025 and 5 looks .0079, as in Pocock's table.

    Raises:
        ValueError: There is no look, or alpha is no small probability.
    """
    if not (looks >= 1 and 0 < alpha < 0.5):
        raise ValueError(f"need looks >= 1 and 0 < alpha < .5, got {looks} and {alpha}")
    low, high = 0.0, 6.0
    for _ in range(26):
        bound = (low + high) / 2
        low, high = (bound, high) if _crossing(bound, looks) > alpha else (low, bound)
    return 1 - NormalDist().cdf((low + high) / 2)


def _crossing(bound: float, looks: int) -> float:
    """Chance that the sum of k standard normals exceeds bound * sqrt(k) at any k up to `looks`."""
    normal = NormalDist()
    crossed = 1 - normal.cdf(bound)
    at = _grid(bound)
    density = _normal(at)
    for look in range(2, looks + 1):
        limit = bound * math.sqrt(look)
        weights = _trapezoid(at, density)
        beyond = np.array([1 - normal.cdf(limit - value) for value in at.tolist()])
        crossed += float((weights * beyond).sum())
        following = _grid(limit)
        density = _normal(following[:, None] - at[None, :]) @ weights
        at = following
    return crossed


def _grid(limit: float) -> Floats:
    """Points from far below up to the limit itself."""
    count = math.ceil((limit + _REACH) / _STEP)
    return np.linspace(-_REACH, limit, count + 1)


def _normal(values: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * values**2) / math.sqrt(2 * math.pi), np.float64)


def _trapezoid(at: Floats, density: Floats) -> Floats:
    weights = np.asarray(density * (at[1] - at[0]), np.float64)
    weights[0] /= 2
    weights[-1] /= 2
    return weights
