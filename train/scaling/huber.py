"""The law by Huber's loss of logarithms and L-BFGS from a grid of starts, as Hoffmann et al. 2022 and Besiroglu et al. 2024 fit it.

The losses of the runs are summed: their mean is so small that L-BFGS takes the first steps for convergence, which is
what went wrong in the first published fit (Besiroglu et al. 2024, section 3).

Shapes: P runs.
"""

from __future__ import annotations

import itertools

import numpy as np
from scipy.optimize import minimize

from train.scaling.law import Floats, ScalingLaw
from train.scaling.points import LadderPoints

DELTA = 1e-3
_EXPONENTS = (0.2, 0.6)
_FLOORS = (0.3, 0.7)


def fit_by_huber(points: LadderPoints, *, delta: float = DELTA) -> ScalingLaw:
    """The law with the least sum of Huber's losses of ln(law) - ln(loss); outliers pull it little.

    Args:
        points: The runs.
        delta: Where squares become lines.

    Raises:
        SettingsError: The runs cannot tell the law's numbers.
    """
    points.require_enough()
    middle = np.log(points.parameters).mean(), np.log(points.tokens).mean()
    size_P, length_P = np.log(points.parameters) - middle[0], np.log(points.tokens) - middle[1]
    log_losses_P = np.log(points.losses)

    def objective(theta: Floats) -> tuple[float, Floats]:
        return _objective(theta, size_P, length_P, log_losses_P, delta)

    best = min(
        (
            minimize(
                objective, start, jac=True, method="L-BFGS-B",
                options={"maxiter": 2_000, "ftol": 1e-13, "gtol": 1e-9},
            )
            for start in _starts(points)
        ),
        key=lambda found: float(found.fun),
    )  # fmt: skip
    a, alpha, b, beta, e = (float(one) for one in best.x)
    return ScalingLaw(
        floor=float(np.exp(e)),
        size_factor=float(np.exp(a + alpha * middle[0])),
        size_exponent=alpha,
        tokens_factor=float(np.exp(b + beta * middle[1])),
        tokens_exponent=beta,
    )


def _starts(points: LadderPoints) -> list[Floats]:
    """Exponents and floors over a grid; the rest of the lowest loss is shared by size and tokens."""
    lowest = float(points.losses.min())
    starts = []
    for alpha, beta, share in itertools.product(_EXPONENTS, _EXPONENTS, _FLOORS):
        rest = np.log(lowest * (1 - share) / 2)
        starts.append(np.array([rest, alpha, rest, beta, np.log(lowest * share)]))
    return starts


def _objective(
    theta: Floats, size_P: Floats, length_P: Floats, log_losses_P: Floats, delta: float
) -> tuple[float, Floats]:
    """Sum of Huber's losses, and its gradient by (a, alpha, b, beta, e)."""
    a, alpha, b, beta, e = theta
    terms_3P = np.stack([a - alpha * size_P, b - beta * length_P, np.full_like(size_P, e)])
    top_P = terms_3P.max(0)
    parts_3P = np.exp(terms_3P - top_P)
    whole_P = parts_3P.sum(0)
    residual_P = top_P + np.log(whole_P) - log_losses_P
    distance_P = np.abs(residual_P)
    is_near_P = distance_P <= delta
    value = np.where(is_near_P, 0.5 * residual_P**2, delta * (distance_P - 0.5 * delta)).sum()
    pull_P = np.clip(residual_P, -delta, delta)
    share_3P = parts_3P / whole_P * pull_P
    gradient = [
        share_3P[0].sum(),
        -(share_3P[0] * size_P).sum(),
        share_3P[1].sum(),
        -(share_3P[1] * length_P).sum(),
        share_3P[2].sum(),
    ]
    # In units of delta^2, so that the optimizer's own bounds of convergence fit.
    return float(value) / delta**2, np.array(gradient) / delta**2
