"""A study of fine-tuning as a file: what is tuned, on which labels, how often."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from schemas.settings import Settings, parse_settings
from schemas.yaml_files import read_yaml
from train.finetune.protocols import find_protocol

# Every cell of a study has its own; the protocol sets the others.
_OWN = ("manifest", "output", "seed", "objective", "warm_start", "phases", "data")


class FinetuneSettings(Settings):
    """A study. Datasets have layout `pairs` (`python -m jobs.pack_pairs`); paths are relative to the working directory."""

    output: str = Field(description="folder of the study")
    source: str | None = Field(
        description="run, checkpoint or Hugging Face folder; null: new weights, of `recipe.model`"
    )
    protocol: str = Field(description="bert, roberta, mosbach or t5")
    train: dict[int, str] = Field(
        min_length=1,
        description="number of labels -> manifest of so many examples; smaller ones are parts of larger ones",
    )
    dev: str = Field(description="manifest; its training split chooses the rate")
    test: str = Field(description="manifest; its training split is reported, and nothing else")
    objective: dict[str, Any] = Field(
        default_factory=lambda: {"name": "classify"},
        description="classify (a bert with model.num_classes) or text_to_text",
    )
    rates: tuple[float, ...] | None = Field(
        default=None, min_length=1, description="peak rates; null: those of the protocol"
    )
    select_at: int = Field(
        default=1000, gt=0, description="labels on which the rate is chosen; the nearest of `train`"
    )
    select_seeds: int = Field(default=1, gt=0, description="seeds of each rate that is tried")
    seeds: int = Field(default=5, gt=0, description="seeds of each number of labels")
    min_steps: int | None = Field(
        default=None,
        gt=0,
        description="steps of a run whose epochs would end sooner: with few labels, how many updates there are decides "
        "more than how many epochs; null: as the protocol says",
    )
    recipe: dict[str, Any] = Field(
        default_factory=dict, description="other settings of the training recipe, as it has them"
    )

    @model_validator(mode="after")
    def _works(self) -> Self:
        find_protocol(self.protocol)
        own = sorted(set(self.recipe) & set(_OWN))
        if own:
            raise ValueError(f"recipe.{own[0]}: the study sets it; leave it out")
        if self.objective.get("name") not in ("classify", "text_to_text"):
            raise ValueError(
                f"objective: {self.objective.get('name')!r}; expected classify or text_to_text"
            )
        if self.objective.get("at", "cls") != "cls":
            raise ValueError("objective.at: classes of whole rows alone are counted; expected cls")
        if min(self.train) < 1:
            raise ValueError(f"train: numbers of labels start at 1, got {min(self.train)}")
        if self.dev == self.test:
            raise ValueError(
                "dev and test are one manifest: the rate would be chosen on what is reported"
            )
        if self.source is None and "model" not in self.recipe:
            raise ValueError("source: null needs the shape of the new weights as recipe.model")
        return self


def load_finetune_settings(path: Path) -> FinetuneSettings:
    """Read a study.

    Raises:
        SettingsError: With every fault.
    """
    return parse_settings(FinetuneSettings, read_yaml(path), where=str(path))
