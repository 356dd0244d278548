"""The law L(N, D) = E + A / N^alpha + B / D^beta, and what it recommends for a budget.

Source: Hoffmann et al. 2022 (Chinchilla), approach 3; constants as Besiroglu et al. 2024 (arXiv 2404.10102) fitted them again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Training takes about 6 operations for each parameter and token (Kaplan et al. 2020).
FLOPS_PER_PARAMETER_TOKEN = 6


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """A size and a length that spend a budget."""

    parameters: float
    tokens: float


@dataclass(frozen=True, kw_only=True)
class ScalingLaw:
    """The five numbers of the law; losses are in nats per token.

    Attributes:
        floor: E, what no size and no length goes below.
        size_factor: A.
        size_exponent: alpha.
        tokens_factor: B.
        tokens_exponent: beta.
    """

    floor: float
    size_factor: float
    size_exponent: float
    tokens_factor: float
    tokens_exponent: float

    def loss(self, parameters: Floats | float, tokens: Floats | float) -> Floats:
        """Loss of models of so many parameters after so many tokens."""
        by_size = self.size_factor * np.asarray(parameters, np.float64) ** -self.size_exponent
        by_tokens = self.tokens_factor * np.asarray(tokens, np.float64) ** -self.tokens_exponent
        return np.asarray(self.floor + by_size + by_tokens, np.float64)

    def best(self, flops: float) -> Allocation:
        """The size and the length with the least loss that 6 x parameters x tokens = `flops` can buy.

        Raises:
            ValueError: The law has no optimum: size or tokens change nothing in it.
        """
        alpha, beta = self.size_exponent, self.tokens_exponent
        pull = alpha * self.size_factor, beta * self.tokens_factor
        if min(pull) <= 0 or flops <= 0:
            raise ValueError(f"no optimum for {flops:g} FLOPs: {self} does not fall with both")
        products = flops / FLOPS_PER_PARAMETER_TOKEN
        parameters = (pull[0] / pull[1]) ** (1 / (alpha + beta)) * products ** (
            beta / (alpha + beta)
        )
        return Allocation(parameters=parameters, tokens=products / parameters)


HOFFMANN = ScalingLaw(
    floor=1.69,
    size_factor=406.4,
    size_exponent=0.34,
    tokens_factor=410.7,
    tokens_exponent=0.28,
)
BESIROGLU = ScalingLaw(
    floor=1.8172,
    size_factor=482.01,
    size_exponent=0.3478,
    tokens_factor=2085.43,
    tokens_exponent=0.3658,
)
