"""How sure a fitted law is: profile intervals, which decide, and the bootstrap beside them.

A profile interval holds every value at which the best fit is not significantly worse than the best of all (Bates and Watts 1988,
section 6.1); given the exponents the law is linear, so what is asked of it is profiled in closed form over a grid of exponents.
Simulated coverage: benchmarks/train/ladder_coverage.py.

Shapes: P runs, G pairs of exponents, R resamples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from train.scaling.law import FLOPS_PER_PARAMETER_TOKEN, Floats, ScalingLaw
from train.scaling.points import PARAMETERS_OF_LAW, LadderPoints
from train.scaling.projection import (
    COARSE,
    HIGHEST_EXPONENT,
    LOWEST_EXPONENT,
    Design,
    Middle,
    fit_many,
    grid,
    solve,
    whole_grid,
)
from train.statistics.distributions import t_quantile

LEVEL = 0.9
# The grid around the plausible exponents is drawn anew so many times, ever closer to them.
_REDRAWN = 4
_ENOUGH_TO_TURN = 12


@dataclass(frozen=True, kw_only=True)
class Range:
    """An interval; infinite where the runs do not bound it."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        return self.low <= value <= self.high


class ProfiledLaw:
    """The exponents that the runs allow, and what follows of each."""

    def __init__(self, points: LadderPoints, *, level: float = LEVEL) -> None:
        points.require_enough()
        self.points = points
        self._middle = Middle.of(points)
        exponents_G2 = whole_grid()
        for _ in range(_REDRAWN):
            exponents_G2 = self._around(self._profile(exponents_G2, level))
        self._profile(exponents_G2, level)

    def _profile(self, exponents_G2: Floats, level: float) -> Floats:
        """Keep the pairs of a grid that are plausible, with their fits; returns those pairs."""
        design = self._middle.design(self.points, exponents_G2)
        solved_RG3, squares_RG = solve(design, self.points.losses[None])
        freedom = self.points.runs - PARAMETERS_OF_LAW
        squares_G = squares_RG[0]
        least = float(squares_G.min())
        reach = t_quantile(0.5 + level / 2, freedom)
        # A perfect fit leaves no noise; rounding must not make it the only plausible one.
        bound = least * (1 + reach**2 / freedom) + 1e-18
        chosen_G = squares_G <= bound
        self.noise = math.sqrt(least / freedom)
        self._solved_G3, self._room_G = solved_RG3[0][chosen_G], bound - squares_G[chosen_G]
        self._design = Design(
            exponents=exponents_G2[chosen_G],
            features=design.features[chosen_G],
            inverse=design.inverse[chosen_G],
        )
        return self._design.exponents

    def _around(self, plausible_G2: Floats) -> Floats:
        """A finer grid along the axes of the plausible exponents, and some steps beyond them.

        The two exponents go together, so what is plausible is long and thin, and seldom along alpha or beta.
        """
        logs_G2 = np.log(plausible_G2)
        if len(logs_G2) < _ENOUGH_TO_TURN:
            step = np.log(HIGHEST_EXPONENT / LOWEST_EXPONENT) / (COARSE - 1)
            return grid(np.exp(logs_G2.min(0) - step), np.exp(logs_G2.max(0) + step), COARSE)
        centre = logs_G2.mean(0)
        _, _, axes_22 = np.linalg.svd(logs_G2 - centre, full_matrices=False)
        turned_G2 = (logs_G2 - centre) @ axes_22.T
        low, high = turned_G2.min(0), turned_G2.max(0)
        beyond = np.maximum(0.15 * (high - low), 1e-6)
        sides = [np.linspace(low[i] - beyond[i], high[i] + beyond[i], COARSE) for i in range(2)]
        corners = np.stack([one.ravel() for one in np.meshgrid(*sides, indexing="ij")], axis=1)
        around = np.exp(centre + corners @ axes_22)
        return np.asarray(np.clip(around, LOWEST_EXPONENT, HIGHEST_EXPONENT), np.float64)

    def exponent(self, index: int) -> Range:
        """Of alpha (0) or beta (1); infinite at an end of what is searched."""
        values_G = self._design.exponents[:, index]
        low, high = float(values_G.min()), float(values_G.max())
        return Range(
            low=0.0 if low <= LOWEST_EXPONENT * 1.001 else low,
            high=math.inf if high >= HIGHEST_EXPONENT / 1.001 else high,
        )

    def floor(self) -> Range:
        """Of E, the loss that remains; at least 0."""
        return self._of_combination(np.array([1.0, 0.0, 0.0])[None].repeat(len(self._room_G), 0))

    def loss(self, parameters: float, tokens: float) -> Range:
        """Of the mean loss of runs of that size and length."""
        features_GP3 = self._middle.features(
            self._design.exponents, np.array([parameters]), np.array([tokens])
        )
        return self._of_combination(features_GP3[:, 0])

    def _of_combination(self, weights_G3: Floats) -> Range:
        """Of a weighted sum of the linear coefficients."""
        value_G = (weights_G3 * self._solved_G3).sum(1)
        spread_G = np.einsum("gi,gij,gj->g", weights_G3, self._design.inverse, weights_G3)
        half_G = np.sqrt(np.maximum(self._room_G * spread_G, 0.0))
        # The floor, and with it every loss, is at least 0.
        return Range(
            low=max(0.0, float((value_G - half_G).min())), high=float((value_G + half_G).max())
        )

    def best_parameters(self, flops: float) -> Range:
        """Of the size that `ScalingLaw.best` gives: it depends on the ratio of two coefficients (Fieller 1954)."""
        alpha_G, beta_G = self._design.exponents.T
        low_G, high_G = self._ratios()
        # From coefficients at the ladder's middle to those of the law: A / B.
        scale_G = self._middle.parameters**alpha_G / self._middle.tokens**beta_G
        products = flops / FLOPS_PER_PARAMETER_TOKEN
        ends = []
        for ratio_G, choose in ((low_G, np.min), (high_G, np.max)):
            sizes_G = (alpha_G / beta_G * ratio_G * scale_G) ** (1 / (alpha_G + beta_G))
            ends.append(float(choose(sizes_G * products ** (beta_G / (alpha_G + beta_G)))))
        return Range(low=ends[0], high=ends[1])

    def _ratios(self) -> tuple[Floats, Floats]:
        """Ends of a / b at each pair of exponents; 0 and infinite where one of them may be 0."""
        a, b = self._solved_G3[:, 1], self._solved_G3[:, 2]
        inverse, room = self._design.inverse, self._room_G
        aa, ab, bb = (
            a**2 - room * inverse[:, 1, 1],
            a * b - room * inverse[:, 1, 2],
            b**2 - room * inverse[:, 2, 2],
        )
        root = np.sqrt(np.maximum(ab**2 - aa * bb, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            low = np.where(aa > 0, np.maximum((ab - root) / bb, 0.0), 0.0)
            # Where b may be 0, the lower end is the other root and there is no upper one.
            low = np.where((aa > 0) & (bb <= 0), aa / (ab + root), low)
            high = np.where(bb > 0, (ab + root) / bb, np.inf)
        return low, high


def bootstrap_laws(
    points: LadderPoints, law: ScalingLaw, *, resamples: int, seed: int = 20_093
) -> list[ScalingLaw]:
    """Laws fitted again to the fitted losses plus residuals of drawn runs.

    Runs of one size and length that differ by their seed alone are drawn as runs of their own. Residuals are drawn, not
    runs: a ladder of ten cells that lacks some of them often has no law. They are divided by sqrt(1 - leverage), for a fit lies closer
    to its runs than the truth does. Resamples whose loss does not fall are left out.
    """
    fitted_P = law.loss(points.parameters, points.tokens)
    residuals_P = points.losses - fitted_P
    residuals_P = residuals_P / np.sqrt(np.maximum(1 - _leverage(points, law), 1e-3))
    residuals_P -= residuals_P.mean()
    drawn_RP = np.random.default_rng(seed).integers(points.runs, size=(resamples, points.runs))
    return [one for one in fit_many(points, fitted_P + residuals_P[drawn_RP]) if one is not None]


def _leverage(points: LadderPoints, law: ScalingLaw) -> Floats:
    """How far each run pulls its own fitted loss, 0 to 1, from the law's derivatives."""
    log_n, log_d = np.log(points.parameters), np.log(points.tokens)
    by_size = np.exp(-law.size_exponent * (log_n - log_n.mean()))
    by_tokens = np.exp(-law.tokens_exponent * (log_d - log_d.mean()))
    slopes_P5 = np.stack(
        [np.ones_like(log_n), by_size, by_tokens, by_size * log_n, by_tokens * log_d], axis=1
    )
    orthonormal, _ = np.linalg.qr(slopes_P5)
    return np.asarray((orthonormal**2).sum(1), np.float64)


def percentiles(
    laws: list[ScalingLaw], of: Callable[[ScalingLaw], float], *, level: float = LEVEL
) -> Range:
    """The percentile interval of something that follows from a law."""
    low, high = np.quantile([of(law) for law in laws], [0.5 - level / 2, 0.5 + level / 2])
    return Range(low=float(low), high=float(high))
