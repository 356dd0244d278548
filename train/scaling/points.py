"""What a law is fitted to: runs, each with its size, its length and its loss.

Shapes: P runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas.errors import SettingsError
from train.scaling.law import Floats

PARAMETERS_OF_LAW = 5
_FEWEST_SIZES = 3
# Two ratios of tokens to parameters that lie closer are one duration.
_SAME_RATIO = 1.2


@dataclass(frozen=True, kw_only=True)
class LadderPoints:
    """Finished runs of a ladder.

    Attributes:
        parameters: [P], sizes, all counted in the same way.
        tokens: [P], tokens that each run was trained on.
        losses: [P], loss of each run, nats per token on the same held-out text.
        counted: Which parameters the sizes count, in words; a law holds for one way of counting alone.
    """

    parameters: Floats
    tokens: Floats
    losses: Floats
    counted: str

    def __post_init__(self) -> None:
        shapes = {self.parameters.shape, self.tokens.shape, self.losses.shape}
        if len(shapes) != 1 or self.losses.ndim != 1:
            raise ValueError(f"need one size, length and loss for each run, got {shapes}")
        whole = np.concatenate([self.parameters, self.tokens, self.losses])
        if not (np.isfinite(whole).all() and (whole > 0).all()):
            raise SettingsError(
                "a ladder needs finite sizes, tokens and losses above 0 of all runs"
            )

    @property
    def runs(self) -> int:
        return len(self.losses)

    def require_enough(self) -> None:
        """Refuse what cannot tell the five numbers of the law.

        Raises:
            SettingsError: Too few runs, sizes or durations.
        """
        if self.runs <= PARAMETERS_OF_LAW:
            raise SettingsError(
                f"the law has {PARAMETERS_OF_LAW} numbers, the ladder {self.runs} runs: "
                f"at least {PARAMETERS_OF_LAW + 1} are needed to fit it and to know how sure it is"
            )
        for what, values in (("sizes", self.parameters), ("lengths", self.tokens)):
            distinct = len(np.unique(values))
            if distinct < _FEWEST_SIZES:
                raise SettingsError(
                    f"the ladder has {distinct} different {what}; an exponent needs {_FEWEST_SIZES}"
                )
        ratios = self.tokens / self.parameters
        if ratios.max() < _SAME_RATIO * ratios.min():
            raise SettingsError(
                f"all runs have about {ratios.mean():.3g} tokens per parameter: size and length rise together, and "
                "no fit can tell their exponents apart; give each size a second duration"
            )

    def require_near(self, parameters: float, tokens: float, *, factor: float) -> None:
        """Refuse to say what lies far beyond the runs.

        Args:
            parameters: Of the model asked for, counted as the ladder counts.
            tokens: That it would be trained on.
            factor: How many times the largest (or below the smallest) of the ladder it may be.

        Raises:
            SettingsError: It is farther; the message has both sides.
        """
        asked = (
            (f"parameters ({self.counted})", parameters, self.parameters),
            ("tokens", tokens, self.tokens),
        )
        for what, value, values in asked:
            low, high = float(values.min()), float(values.max())
            if not low / factor <= value <= high * factor:
                raise SettingsError(
                    f"{value:.3g} {what} are more than {factor:g} times beyond the ladder, which has "
                    f"{low:.3g} to {high:.3g}: a law this far from its runs is a guess; add larger runs"
                )
