"""Settings of the mixture of sources."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from schemas.settings import Settings


class ScoreWeights(Settings):
    """Give documents more or fewer copies by a score of cleaning, within each source.

    The factor is linear in the score between `low` and `high`; the tokens that a source gives stay as planned.
    """

    score: str = Field(description="name in `cleaned.scores`, e.g. quality, or of a trained head")
    low: float = Field(default=0.0, description="score that counts as 0, and so do smaller ones")
    high: float = Field(default=1.0, description="score that counts as 1, and so do larger ones")
    at_zero: float = Field(default=0.0, ge=0, le=100, description="factor where the score is 0")
    at_one: float = Field(default=2.0, ge=0, le=100, description="factor where the score is 1")

    @model_validator(mode="after")
    def _differs(self) -> Self:
        if self.at_zero == self.at_one:
            raise ValueError(f"at_zero and at_one are both {self.at_one}: nothing to weight by")
        if not self.low < self.high:
            raise ValueError(f"need low < high, got {self.low} and {self.high}")
        return self


class Rehydration(Settings):
    """Give a kept document more or fewer copies by the duplicates that it stands for.

    The idea of FineWeb-2's rehydration (Penedo et al. 2025): what was copied some times is better
    than average, what was copied very often is boilerplate. The tokens that a source gives stay as
    planned; only shares inside it move.
    """

    factors: dict[int, float] = Field(
        description="size of the group, the kept document counted, from which a factor holds: "
        "{1: 1, 2: 2, 5: 3, 100: 1}"
    )

    @model_validator(mode="after")
    def _starts_at_one(self) -> Self:
        if 1 not in self.factors or min(self.factors) != 1:
            raise ValueError(f"factors must begin at size 1, got {sorted(self.factors)}")
        wrong = {size: factor for size, factor in self.factors.items() if not 0 <= factor <= 100}
        if wrong:
            raise ValueError(f"factors must lie in 0..100, got {wrong}")
        return self


class MixtureConfig(Settings):
    """How many tokens of each source are packed: weights, a budget, caps.

    Without weights every document is taken once; with them epochs follow from budget x weight /
    size, as in Brown et al. 2020, table 2.2. A temperature makes the weights from the sizes, as in
    Arivazhagan et al. 2019, section 4.2: 1 is proportional, large values even the sources out.
    """

    weights: dict[str, float] | None = Field(
        default=None,
        description="shares of the sources in the tokens, by name; null: every document once",
    )
    budget_tokens: int | None = Field(
        default=None, gt=0, description="None: all tokens of the weighted sources once"
    )
    temperature: float | None = Field(
        default=None,
        gt=0,
        description="instead of weights: share of a source ~ tokens ** (1 / temperature)",
    )
    weight_by: ScoreWeights | None = None
    rehydrate: Rehydration | None = None
    max_epochs: float | None = Field(default=None, gt=0, description="cap on epochs of a source")
    spread_capped: bool = Field(
        default=True, description="give what capped sources cannot take to the others"
    )

    @model_validator(mode="after")
    def _weights_are_positive(self) -> Self:
        if self.weights is not None:
            if not self.weights:
                raise ValueError("weights are empty; leave them out to take every document once")
            wrong = {name: weight for name, weight in self.weights.items() if weight < 0}
            if wrong or sum(self.weights.values()) <= 0:
                raise ValueError(f"weights must not be negative and not all 0, got {self.weights}")
            if self.temperature is not None:
                raise ValueError("give weights or a temperature, not both")
        elif self.budget_tokens is not None and self.temperature is None:
            raise ValueError("budget_tokens needs weights or a temperature")
        return self
