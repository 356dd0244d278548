"""Ladders whose law is known."""

import numpy as np

from train.scaling.law import ScalingLaw
from train.scaling.points import LadderPoints

TRUE = ScalingLaw(
    floor=1.7, size_factor=87.4, size_exponent=0.34, tokens_factor=291.5, tokens_exponent=0.37
)


def ladder(
    law: ScalingLaw = TRUE,
    *,
    noise: float = 0.0,
    seed: int = 0,
    ratios: tuple[float, ...] = (2, 8),
    sizes: tuple[float, ...] = (3e5, 4.5e5, 6.7e5, 1e6, 1.5e6),
) -> LadderPoints:
    """Two seeds of each size at each number of tokens per parameter."""
    parameters = np.repeat([size for size in sizes for _ in ratios], 2)
    tokens = parameters * np.repeat([ratio for _ in sizes for ratio in ratios], 2)
    losses = law.loss(parameters, tokens)
    losses = losses + np.random.default_rng(seed).normal(0, noise, len(losses))
    return LadderPoints(
        parameters=parameters, tokens=tokens, losses=losses, counted="all parameters"
    )
