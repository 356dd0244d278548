"""What a search looks for, how, and when it gives a trial up; imports nothing heavy."""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.settings import Settings

SamplerName = Literal["tpe", "gp", "cmaes", "random", "grid"]
Law = Literal["step_law", "olmo_ladder", "t5", "bert", "recipe"]
# The study's own setting, which a search may vary as if it were one of the recipe.
HALF_LIFE = "beta2_half_life_tokens"


class Space(Settings):
    """The values of one setting: between two ends, or one of some choices."""

    low: float | None = Field(default=None, description="smallest value")
    high: float | None = Field(default=None, description="largest value")
    log: bool = Field(default=False, description="evenly in the logarithm")
    step: float | None = Field(
        default=None, gt=0, description="distance of neighbouring values; grid needs it, or choices"
    )
    integer: bool = Field(default=False, description="whole numbers alone")
    choices: tuple[Any, ...] | None = Field(
        default=None, min_length=2, description="the values themselves, in no order"
    )
    when: dict[str, tuple[Any, ...]] | None = Field(
        default=None,
        min_length=1,
        description="key -> values: the setting is part of a trial only where another one has one of these values",
    )

    @field_validator("when", mode="before")
    @classmethod
    def _one_or_several(cls, when: Any) -> Any:
        if not isinstance(when, dict):
            return when
        return {
            key: tuple(values) if isinstance(values, list | tuple) else (values,)
            for key, values in when.items()
        }

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.choices is not None:
            self._check_choices(self.choices)
            return self
        if self.low is None or self.high is None:
            raise ValueError(f"give low and high, or choices, got low {self.low}, high {self.high}")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"need finite low < high, got {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log: low must be above 0, got {self.low}")
        if self.log and self.step is not None:
            raise ValueError(f"log and step {self.step}: use one of them")
        if self.integer and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError(f"integer: ends must be whole, got {self.low} and {self.high}")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError(f"step {self.step} is longer than from {self.low} to {self.high}")
        if self.integer and self.step is not None and not self.step.is_integer():
            raise ValueError(f"integer: step must be whole, got {self.step}")
        return self

    def _check_choices(self, choices: tuple[Any, ...]) -> None:
        given = [name for name in ("low", "high", "step") if getattr(self, name) is not None]
        given += [name for name in ("log", "integer") if getattr(self, name)]
        if given:
            raise ValueError(f"choices and {given[0]}: use one of them")
        doubled = [one for index, one in enumerate(choices) if one in choices[:index]]
        if doubled:
            raise ValueError(f"choices: {doubled[0]!r} is there twice")

    def holds(self, value: Any) -> bool:
        """Whether a value is one of the space's."""
        if self.choices is not None:
            return value in self.choices
        assert self.low is not None
        assert self.high is not None
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high


class PruningConfig(Settings):
    """When trials stop early. They wait at rungs: shares of the budget, each `factor` times the one before."""

    rungs: int = Field(
        default=3, ge=2, le=10, description="looks at a trial, the last one at its end"
    )
    factor: int = Field(
        default=3,
        ge=2,
        description="of so many trials at a rung the best one goes on (successive halving, Li et al. 2020)",
    )
    wilcoxon: float | None = Field(
        default=None,
        gt=0,
        lt=0.5,
        description="share of trials as good as the best that may be given up by mistake: at each rung the losses of the "
        "same documents are compared with the best trial's, at Pocock's level for so many looks; null: no such test",
    )


class SearchConfig(Settings):
    """A search of settings for the best measure."""

    space: dict[str, Space] = Field(
        min_length=1, description="dotted key of the recipe -> its values"
    )
    sampler: SamplerName = Field(default="tpe", description="how the next trial is chosen")
    trials: int = Field(gt=0, description="number of trials, the start values among them")
    seed: int = Field(default=1, ge=0, description="of the sampler")
    start: tuple[Law, ...] = Field(
        default=(),
        description="first trials by published laws: step_law, olmo_ladder, t5, bert; recipe: as the recipe has it",
    )
    pruning: PruningConfig | None = Field(default=None, description="null: every trial ends")
    confirm: int | None = Field(
        default=3,
        ge=2,
        description="seeds, other than those of the search, with which the best trial runs beside the recipe: what is best of "
        "many is partly luck; null: no such runs",
    )

    @field_validator("space", mode="before")
    @classmethod
    def _short_forms(cls, space: Any) -> Any:
        """Take a list for choices."""
        if not isinstance(space, dict):
            return space
        return {
            key: {"choices": value} if isinstance(value, list) else value
            for key, value in space.items()
        }

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for key, space in self.space.items():
            self._check_condition(key, space)
            if self.sampler == "grid" and space.choices is None and space.step is None:
                raise ValueError(f"space.{key}: a grid needs choices or a step")
        if self.sampler == "cmaes":
            self._check_cmaes()
        return self

    def _check_condition(self, key: str, space: Space) -> None:
        for other, values in (space.when or {}).items():
            before = list(self.space)[: list(self.space).index(key)]
            if other not in before:
                raise ValueError(
                    f"space.{key}.when: {other} must be a setting of the space above it; there are "
                    f"{', '.join(before) or 'none'}"
                )
            wrong = [value for value in values if not self.space[other].holds(value)]
            if wrong:
                raise ValueError(
                    f"space.{key}.when.{other}: {wrong[0]!r} is no value of {other}, so the setting would "
                    "never be part of a trial"
                )

    def _check_cmaes(self) -> None:
        ranges = [key for key, space in self.space.items() if space.choices is None]
        conditional = [key for key, space in self.space.items() if space.when]
        if conditional:
            raise ValueError(f"space.{conditional[0]}.when: cmaes has no conditions; use tpe")
        if len(ranges) < 2 or len(ranges) < len(self.space):
            others = [key for key in self.space if key not in ranges]
            raise ValueError(
                f"sampler cmaes: needs two ranges or more and no choices, got {len(ranges)} ranges"
                f"{f' and choices of {others[0]}' if others else ''}; use tpe"
            )
