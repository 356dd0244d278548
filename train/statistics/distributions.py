"""Student's t, Fisher's F and the binomial distribution at one half, exact, without another library."""

from __future__ import annotations

import math
from functools import lru_cache

# The continued fraction of the incomplete beta function converges in some dozen terms here.
_MOST_TERMS = 300
_EPSILON = 1e-15
_TINY = 1e-300


def t_two_sided(statistic: float, freedom: float) -> float:
    """Probability of a larger |t| by chance, with `freedom` degrees of freedom."""
    if not math.isfinite(statistic):
        return 0.0
    return _incomplete_beta(freedom / (freedom + statistic**2), freedom / 2, 0.5)


def f_upper(ratio: float, above: float, below: float) -> float:
    """Probability of a larger ratio of two variances by chance, with degrees of freedom of the one above and of the one below."""
    if not math.isfinite(ratio):
        return 0.0
    return _incomplete_beta(below / (below + above * max(ratio, 0.0)), below / 2, above / 2)


@lru_cache(maxsize=4096)
def t_quantile(probability: float, freedom: float) -> float:
    """The t that is not exceeded with a probability; found by bisection."""
    if not (0.0 < probability < 1.0 and freedom > 0):
        raise ValueError(f"need 0 < probability < 1 and freedom > 0, got {probability}, {freedom}")
    if probability < 0.5:
        return -t_quantile(1 - probability, freedom)
    low, high = 0.0, 1.0
    outside = 2 * (1 - probability)
    while t_two_sided(high, freedom) > outside:
        low, high = high, 2 * high
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if t_two_sided(middle, freedom) > outside else (low, middle)
    return (low + high) / 2


def sign_test(fewer: int, more: int) -> float:
    """Probability that a fair coin falls as unevenly as `fewer` to `more`, two-sided and exact."""
    trials, tail = fewer + more, min(fewer, more)
    if trials == 0:
        return 1.0
    # Logarithms: 2**trials overflows a float from 1,024 trials on.
    logs = [
        math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        for k in range(tail + 1)
    ]
    half = sum(math.exp(log - trials * math.log(2)) for log in logs)
    return min(1.0, 2 * half)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b).

    Source: Abramowitz and Stegun 26.5.8, evaluated by Lentz's method.
    """
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(1.0 - x, b, a)
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    fraction, upper = 1.0, 1.0
    lower = _inverse(1.0 - (a + b) * x / (a + 1))
    fraction = lower
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for term in (even, odd):
            lower = _inverse(1.0 + term * lower)
            upper = 1.0 + term / upper
            upper = upper if abs(upper) > _TINY else _TINY
            change = upper * lower
            fraction *= change
        if abs(change - 1.0) < _EPSILON:
            break
    return math.exp(log_front) * fraction / a


def _inverse(value: float) -> float:
    return 1.0 / (value if abs(value) > _TINY else _TINY)
