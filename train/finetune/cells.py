"""The runs of a study: one for each rate that is tried, then one for each seed and number of labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from schemas.settings import parse_settings
from train.finetune.protocols import find_protocol
from train.finetune.settings import FinetuneSettings
from train.settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run.

    Attributes:
        labels: Number of labelled examples that it trains on.
        rate: Peak of its learning rate.
    """

    labels: int
    rate: float
    seed: int

    @property
    def name(self) -> str:
        """Name of its folder."""
        return f"labels-{self.labels}-rate-{self.rate:g}-seed-{self.seed}"


def selection_labels(study: FinetuneSettings) -> int:
    """The number of labels on which the rate is chosen: the nearest one, of two the smaller."""
    return min(study.train, key=lambda labels: (abs(labels - study.select_at), labels))


def selection_cells(study: FinetuneSettings) -> list[Cell]:
    """The runs that choose the rate; none where there is one rate."""
    rates = study.rates or find_protocol(study.protocol).rates
    if len(rates) == 1:
        return []
    labels = selection_labels(study)
    return [
        Cell(labels=labels, rate=rate, seed=seed)
        for rate in rates
        for seed in range(1, study.select_seeds + 1)
    ]


def choose_rate(study: FinetuneSettings, dev_scores: Mapping[Cell, float]) -> float:
    """The rate that was best on dev; of equal ones the smallest, which forgets least."""
    rates = study.rates or find_protocol(study.protocol).rates
    if len(rates) == 1:
        return rates[0]
    means = {
        rate: fmean(score for cell, score in dev_scores.items() if cell.rate == rate)
        for rate in rates
    }
    return min(rates, key=lambda rate: (-means[rate], rate))


def final_cells(study: FinetuneSettings, rate: float) -> Iterator[Cell]:
    """The runs that are reported, the fewest labels first."""
    for labels in sorted(study.train):
        for seed in range(1, study.seeds + 1):
            yield Cell(labels=labels, rate=rate, seed=seed)


def cell_settings(study: FinetuneSettings, cell: Cell) -> TrainSettings:
    """The recipe of a run.

    Raises:
        SettingsError: The study's own settings do not work together with the protocol's.
    """
    recipe: dict[str, Any] = {
        "evaluation": None,
        "checkpoint": {"keep_last": 1},
        "metrics": {"tensorboard": False},
    }
    for changes in (find_protocol(study.protocol).settings(cell.rate), study.recipe):
        recipe = _merged(recipe, changes)
    recipe |= {
        "manifest": study.train[cell.labels],
        "output": str(Path(study.output) / "runs" / cell.name),
        "seed": cell.seed,
        "objective": study.objective,
    }
    if study.source is not None:
        recipe["warm_start"] = {"source": study.source, "first_loss_rows": None}
        recipe["model"] = {"preset": None, **recipe.get("model", {})}
    if study.min_steps is not None and "epochs" in recipe["stop"]:
        steps = math.ceil(recipe["stop"]["epochs"] * cell.labels / recipe["batch"]["sequences"])
        if steps < study.min_steps:
            recipe["stop"] = {"steps": study.min_steps}
    if "microbatch" not in recipe["batch"]:
        recipe["batch"]["microbatch"] = recipe["batch"]["sequences"]
    return parse_settings(TrainSettings, recipe, where=f"{study.output}: {cell.name}")


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes over a base, key by key; `stop` is replaced, for it has exactly one key."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        is_part = isinstance(old, Mapping) and isinstance(value, Mapping) and key != "stop"
        merged[key] = _merged(old, value) if is_part else value  # type: ignore[arg-type]
    return merged
