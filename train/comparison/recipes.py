"""From what a user names to the sides of a comparison."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import SettingsError
from train.comparison.compare import Recipe
from train.comparison.results import read_evaluation
from train.evaluation.cache import RESULT_NAME
from train.report.comparison import run_names

_JOINTS = " -_./=,"


def read_recipes(sides: Sequence[Sequence[Path]]) -> list[Recipe]:
    """Read the evaluations of all sides; a side of several paths has a seed of one recipe in each.

    Raises:
        SettingsError: One is named twice, or a side is empty.
        ContractError: There is no evaluation, or it cannot be read.
    """
    paths = [path for side in sides for path in side]
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            raise SettingsError(f"{path}: named twice; name each model once")
        seen.add(path.resolve())
    if not all(sides):
        raise SettingsError("expected MODEL or MODEL,SEED,SEED; one of them is empty")
    folders = [path.parent if path.name == RESULT_NAME else path for path in paths]
    names = iter(run_names(folders))
    recipes = []
    for side in sides:
        seeds = tuple(read_evaluation(path, next(names)) for path in side)
        recipes.append(Recipe(name=_common_name([seed.name for seed in seeds]), seeds=seeds))
    return recipes


def _common_name(names: Sequence[str]) -> str:
    """What the names of a recipe's seeds begin with, and how many they are."""
    if len(names) == 1:
        return names[0]
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    common = "".join(letters[0] for letters in alike).rstrip(_JOINTS)
    return f"{common or ' + '.join(names)} ({len(names)} seeds)"
