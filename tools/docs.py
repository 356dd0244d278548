"""Generated pages of `docs/`: tables, settings and public names.

python -m tools.docs          writes them
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from refinery.recipe import Recipe, Runtime
from schemas.errors import run_main
from schemas.settings import Settings
from schemas.tables import TABLES
from tools.api_page import api_page
from tools.settings_page import Section, settings_page
from train.generation.config import GenerationConfig
from train.model.config import ModelConfig
from train.objectives.config import ObjectiveConfig
from train.settings import TrainSettings

DOCS = Path("docs")


def tables_page() -> str:
    """Every table with its columns."""
    lines = [
        "# Tables",
        "",
        "Made by `python -m tools.docs` from `schemas/tables.py`. Parquet, one folder per table.",
    ]
    for table in TABLES.values():
        lines += [
            "",
            f"## {table.name}",
            "",
            f"One row per {table.row}. Written by: {table.stage}.",
            "",
        ]
        lines += ["| column | type | meaning |", "|---|---|---|"]
        lines += [
            f"| {c.name} | `{c.type}` | {c.meaning.replace('|', chr(92) + '|')} |"
            for c in table.columns
        ]
    return "\n".join(lines) + "\n"


def recipes_page() -> str:
    """Every setting of the refinery with its value, default and meaning."""
    opening = [
        "# Recipes",
        "",
        "Made by `python -m tools.docs` from the settings' classes. A settings file has two halves: `recipe`",
        "(what the data is; fingerprinted) and `runtime` (where and how it runs; never fingerprinted). Any key",
        "can be set on the command line: `--set recipe.dedup.threshold=0.7`. An unknown key is an error that",
        "names the nearest one. `refinery init FOLDER` writes a first recipe; whole ones with reasons are in",
        "[examples/](../examples). `null` switches an optional section or bound off. Files are YAML 1.2: `no`,",
        "`on` and `2024-01-01` are texts, keys are names as written; a text that is all digits, or `true`,",
        "stands in quotes. Boolean settings also take yes, no, on and off.",
    ]
    roots = [Section(key="recipe", model=Recipe), Section(key="runtime", model=Runtime)]
    return settings_page(roots, opening=opening)


def training_page() -> str:
    """Every setting of the trainer with its value, default and meaning."""
    opening = [
        "# Settings of the trainer",
        "",
        "Made by `python -m tools.docs` from the settings' classes. Any key can be set on the command line:",
        "`--set schedule.warmup=200`. An unknown key is an error that names the nearest one; names of older",
        "recipes and of LAVIS load with a warning. How to use them: [training.md](training.md),",
        "[training_engine.md](training_engine.md), [models.md](models.md).",
    ]
    return settings_page(training_sections(), opening=opening)


def training_sections() -> list[Section]:
    """The trainer's recipe, each objective that it may name, and the options of `train generate`."""
    recipe = Section(
        key="", heading="The recipe", model=TrainSettings, inner={"model": ModelConfig}
    )
    kinds: list[type[Settings]] = list(get_args(ObjectiveConfig))
    objectives = [
        Section(
            key="objective", heading=f"objective: {kind.model_fields['name'].default}", model=kind
        )
        for kind in kinds
    ]
    generation = Section(key="", heading="Generation", model=GenerationConfig)
    return [recipe, *objectives, generation]


def main(argv: list[str]) -> int:
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
    return 0


PAGES = {
    "tables.md": tables_page,
    "recipes.md": recipes_page,
    "training_settings.md": training_page,
    "api.md": api_page,
}

if __name__ == "__main__":
    run_main(main)
