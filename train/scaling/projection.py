"""The law by variable projection: for fixed exponents it is linear, so two numbers are searched and three solved.

The search is a grid that narrows around its best point; unlike a descent in five dimensions it needs no start and cannot
stop early. Source: Golub and Pereyra 1973; for this law arXiv 2603.22339.

Shapes: P runs, G pairs of exponents, R vectors of losses (one for each resample).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas.errors import SettingsError
from train.scaling.law import Floats, ScalingLaw
from train.scaling.points import LadderPoints

LOWEST_EXPONENT, HIGHEST_EXPONENT = 0.02, 2.5
COARSE = 48
_FINE = 7
_ROUNDS = 14
_NARROWER = 0.5
# Coefficients that are held at once.
_MOST_NUMBERS = 4_000_000


@dataclass(frozen=True, kw_only=True)
class Design:
    """The linear part of the law at given exponents: losses = features @ (E, a, b).

    Sizes and lengths are divided by their geometric means, so that a and b are losses at the middle of the ladder.

    Attributes:
        exponents: [G, 2], alpha and beta.
        features: [G, P, 3]: one, the size's and the length's power.
        inverse: [G, 3, 3], inverse of the features' Gram matrix; a coefficient's variance, apart from the noise's.
    """

    exponents: Floats
    features: Floats
    inverse: Floats


@dataclass(frozen=True, kw_only=True)
class Middle:
    """The geometric means that sizes and lengths are divided by."""

    parameters: float
    tokens: float

    @classmethod
    def of(cls, points: LadderPoints) -> Middle:
        return cls(
            parameters=float(np.exp(np.log(points.parameters).mean())),
            tokens=float(np.exp(np.log(points.tokens).mean())),
        )

    def features(self, exponents_G2: Floats, parameters: Floats, tokens: Floats) -> Floats:
        """The linear part's features [G, P, 3] of runs of these sizes and lengths."""
        size_P, length_P = np.log(parameters / self.parameters), np.log(tokens / self.tokens)
        ones = np.ones((len(exponents_G2), len(size_P)))
        by_size = np.exp(-exponents_G2[:, :1] * size_P)
        by_tokens = np.exp(-exponents_G2[:, 1:] * length_P)
        return np.stack([ones, by_size, by_tokens], axis=-1)

    def design(self, points: LadderPoints, exponents_G2: Floats) -> Design:
        """The linear part for the runs of a ladder."""
        features = self.features(exponents_G2, points.parameters, points.tokens)
        gram_G33 = np.einsum("gpi,gpj->gij", features, features)
        return Design(
            exponents=exponents_G2,
            features=features,
            inverse=np.linalg.inv(gram_G33),
        )

    def law(self, exponents: Floats, solved: Floats) -> ScalingLaw:
        """The law in sizes and lengths as they are."""
        alpha, beta = (float(one) for one in exponents)
        floor, by_size, by_tokens = (float(one) for one in solved)
        return ScalingLaw(
            floor=floor,
            size_factor=by_size * self.parameters**alpha,
            size_exponent=alpha,
            tokens_factor=by_tokens * self.tokens**beta,
            tokens_exponent=beta,
        )


def grid(low: Floats, high: Floats, sides: int) -> Floats:
    """Pairs of exponents [sides^2, 2] between two corners, evenly by their logarithms."""
    axes = [
        np.geomspace(max(low[i], LOWEST_EXPONENT), min(high[i], HIGHEST_EXPONENT), sides)
        for i in range(2)
    ]
    return np.stack([one.ravel() for one in np.meshgrid(*axes, indexing="ij")], axis=1)


def whole_grid() -> Floats:
    """Pairs over all exponents that are searched."""
    corners = np.array([LOWEST_EXPONENT] * 2), np.array([HIGHEST_EXPONENT] * 2)
    return grid(*corners, COARSE)


def solve(design: Design, losses_RP: Floats) -> tuple[Floats, Floats]:
    """Least squares with a floor of at least 0: coefficients [R, G, 3], sums of squared residuals [R, G].

    A pair of exponents at which loss would rise with size or with tokens has infinite squares.

    Args:
        design: Its arrays have G in front, or R and G.
        losses_RP: The losses.
    """
    features, losses = design.features, losses_RP[:, None, :, None]
    right = np.swapaxes(features, -1, -2) @ losses
    solved = (design.inverse @ right)[..., 0]
    # Without a floor, two coefficients are left.
    pair = features[..., 1:]
    gram = np.swapaxes(pair, -1, -2) @ pair
    without = (np.linalg.inv(gram) @ right[..., 1:, :])[..., 0]
    has_floor = solved[..., 0] >= 0
    solved[..., 0] = np.where(has_floor, solved[..., 0], 0.0)
    solved[..., 1:] = np.where(has_floor[..., None], solved[..., 1:], without)
    residuals = losses[..., 0] - (features @ solved[..., None])[..., 0]
    falls = (solved[..., 1:] > 0).all(-1)
    return solved, np.where(falls, (residuals**2).sum(-1), np.inf)


def fit_by_projection(points: LadderPoints) -> ScalingLaw:
    """The law with the least squared error, all of its numbers at least 0.

    Raises:
        SettingsError: The runs cannot tell the law's numbers, or their loss does not fall with both.
    """
    points.require_enough()
    law = fit_many(points, points.losses[None])[0]
    if law is None:
        raise SettingsError(
            "no law fits the ladder: its losses do not fall with size, or not with tokens"
        )
    return law


def fit_many(points: LadderPoints, losses_RP: Floats) -> list[ScalingLaw | None]:
    """The laws of several vectors of losses of the same runs; None where loss does not fall."""
    middle = Middle.of(points)
    design = middle.design(points, whole_grid())
    block = max(1, _MOST_NUMBERS // (points.runs * len(design.exponents)))
    laws: list[ScalingLaw | None] = []
    for start in range(0, len(losses_RP), block):
        losses = losses_RP[start : start + block]
        _, squares_RG = solve(design, losses)
        laws += _narrowed(points, middle, design.exponents[squares_RG.argmin(1)], losses)
    return laws


def _narrowed(
    points: LadderPoints, middle: Middle, start_R2: Floats, losses_RP: Floats
) -> list[ScalingLaw | None]:
    """Search around the best pairs of a coarse grid, ever closer."""
    log_R2 = np.log(start_R2)
    ends = np.log([LOWEST_EXPONENT, HIGHEST_EXPONENT])
    reach = (ends[1] - ends[0]) / (COARSE - 1)
    steps = np.linspace(-1, 1, _FINE)
    offsets = np.stack([one.ravel() for one in np.meshgrid(steps, steps, indexing="ij")], axis=1)
    every = np.arange(len(log_R2))
    for _ in range(_ROUNDS):
        log_RG2 = np.clip(log_R2[:, None] + reach * offsets, *ends)
        flat = middle.design(points, np.exp(log_RG2).reshape(-1, 2))
        shape = log_RG2.shape[:2]
        design = Design(
            exponents=np.exp(log_RG2),
            features=flat.features.reshape(*shape, points.runs, 3),
            inverse=flat.inverse.reshape(*shape, 3, 3),
        )
        solved_RG3, squares_RG = solve(design, losses_RP)
        best_R = squares_RG.argmin(1)
        log_R2 = log_RG2[every, best_R]
        solved_R3, least_R = solved_RG3[every, best_R], squares_RG[every, best_R]
        reach *= _NARROWER
    return [
        middle.law(np.exp(log_R2[r]), solved_R3[r]) if np.isfinite(least_R[r]) else None
        for r in every
    ]
