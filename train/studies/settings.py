"""A study as a file: the question, the base recipe, what differs, how often, for how much, by which measure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.errors import SettingsError
from schemas.settings import Settings, parse_settings
from schemas.yaml_files import read_yaml
from train.studies.parts import part_changes
from train.studies.search_settings import SearchConfig

BASE = "base"
Changes = dict[str, Any]


class Budget(Settings):
    """What the runs of a study get, by exactly one of the three."""

    tokens: int | None = Field(
        default=None, gt=0, description="packed tokens of each run, padding included"
    )
    flops: float | None = Field(
        default=None,
        gt=0,
        description="operations of each run (6 per weight and token, PaLM's count): equal compute, so larger "
        "models read fewer tokens",
    )
    cpu_hours: float | None = Field(
        default=None,
        gt=0,
        description="of all runs together; the pilot's speed makes it tokens, as many for each run",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        names = ("tokens", "flops", "cpu_hours")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"give exactly one of tokens, flops and cpu_hours, got {given or 'none'}"
            )
        return self


class MeasureConfig(Settings):
    """What is compared between runs, on the same documents for all of them."""

    figure: str = Field(
        default="heldout_loss",
        description="heldout_loss (nats per label), bits_per_byte (causal objective alone), or TASK/METRIC of "
        "the recipe's evaluation.tasks, as arc_easy/acc",
    )
    manifest: str | None = Field(
        default=None,
        description="whose held-out split all runs are judged on; null: that of the base recipe",
    )
    objective: dict[str, Any] | None = Field(
        default=None,
        description="objective that all runs are judged by; null: the run's own, which must then be one for all",
    )
    max_rows: int | None = Field(
        default=None, gt=0, description="held-out rows that are read; null: the whole split"
    )

    @property
    def is_task(self) -> bool:
        """Whether a metric of a task is compared."""
        return "/" in self.figure

    @property
    def is_better_high(self) -> bool:
        """Whether more is better."""
        return self.is_task and not self.figure.endswith(("/perplexity", "/bits_per_byte"))

    @field_validator("figure")
    @classmethod
    def _is_known(cls, figure: str) -> str:
        if figure not in ("heldout_loss", "bits_per_byte") and "/" not in figure:
            raise ValueError("expected heldout_loss, bits_per_byte or TASK/METRIC")
        return figure


class PilotConfig(Settings):
    """The first part of some runs, before all others: what a token costs, how far seeds differ, what is unstable."""

    seeds: int = Field(default=3, ge=2, description="seeds of each pilot")
    tokens: int | None = Field(
        default=None,
        gt=0,
        description="packed tokens of each pilot; null: a tenth of a run's. Its run goes on from there",
    )
    arms: Literal["base", "all"] = Field(
        default="base",
        description="all: each arm has pilots, and one that is unstable is left out of the study",
    )
    most_deviation: float = Field(
        default=0.02,
        gt=0,
        description="standard deviation over seeds, as a share of the measure, from which settings are unstable",
    )


class StudySettings(Settings):
    """A study. Paths are relative to the working directory; keys of changes are those of the recipe."""

    question: str = Field(description="what the study is to decide, as people ask it")
    recipe: str = Field(
        description="recipe that all runs share: a file, or a name of `train recipes`"
    )
    set: Changes = Field(
        default_factory=dict, description="changes of the recipe for all runs: dotted key -> value"
    )
    output: str = Field(description="folder of the study")
    seeds: tuple[int, ...] = Field(
        default=(1, 2, 3), description="seeds of each arm, the same for all; a number n: 1 to n"
    )
    budget: Budget
    measure: MeasureConfig = MeasureConfig()
    pilot: PilotConfig | None = Field(
        default=PilotConfig(), description="null: no pilot, so cost and noise are not known before"
    )
    arms: dict[str, Changes] | None = Field(
        default=None, min_length=1, description="name -> changes; the base recipe is an arm too"
    )
    matrix: dict[str, tuple[Any, ...]] | None = Field(
        default=None,
        min_length=1,
        description="dotted key -> values; each combination is an arm, the first one is the reference",
    )
    ablate: dict[str, Changes] | None = Field(
        default=None,
        min_length=1,
        description="part -> changes that remove or replace it; a list names parts that are known (docs/studies.md)",
    )
    search: SearchConfig | None = Field(
        default=None, description="settings that an optimiser looks for"
    )
    beta2_half_life_tokens: int | None = Field(
        default=None,
        gt=0,
        description="Adam's second decay in each run is 0.5 ** (tokens of a step / this), so that its memory in tokens "
        "does not change with the batch; null: as the recipe has it",
    )
    level: float = Field(default=0.95, gt=0, lt=1, description="of the intervals")

    @field_validator("seeds", mode="before")
    @classmethod
    def _number_of_seeds(cls, seeds: Any) -> Any:
        is_number = isinstance(seeds, int) and not isinstance(seeds, bool)
        return tuple(range(1, seeds + 1)) if is_number else seeds

    @field_validator("ablate", mode="before")
    @classmethod
    def _known_parts(cls, parts: Any) -> Any:
        if isinstance(parts, list | tuple):
            parts = dict.fromkeys(map(str, parts))
        if not isinstance(parts, dict):
            return parts
        return {
            f"without {name}" if changes is None else name: part_changes(name)
            if changes is None
            else changes
            for name, changes in parts.items()
        }

    @model_validator(mode="after")
    def _works(self) -> Self:
        kinds = ("arms", "matrix", "ablate", "search")
        given = [name for name in kinds if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(kinds)}, got {given or 'none'}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: expected one or more that differ, got {list(self.seeds)}")
        if BASE in {**(self.arms or {}), **(self.ablate or {})}:
            raise ValueError(f"'{BASE}' is the name of the base recipe; give the arm another one")
        if self.budget.cpu_hours is not None and self.pilot is None:
            raise ValueError("budget.cpu_hours needs a pilot, which measures what a token costs")
        if self.budget.cpu_hours is not None and self.pilot and self.pilot.tokens is None:
            raise ValueError("budget.cpu_hours: give pilot.tokens, for a run has no length yet")
        if self.search is not None and self.budget.tokens is None:
            raise ValueError("a search needs budget.tokens: those of a trial that goes to its end")
        return self


def load_study(path: Path) -> StudySettings:
    """Read a study.

    Raises:
        SettingsError: With every fault.
    """
    return parse_settings(StudySettings, read_yaml(path), where=str(path))


def check_changes(changes: Changes, where: str) -> None:
    """Refuse keys that a study sets itself.

    Raises:
        SettingsError: A change is one of them.
    """
    own = {"output": "the study's output", "seed": "seeds", "stop": "budget"}
    for key in changes:
        block = key.split(".")[0]
        if block in own:
            raise SettingsError(f"{where}.{key}: the study sets it, by {own[block]}; leave it out")
