"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path

from train.settings import TrainSettings, load_train_settings


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--recipe` and `--set`."""
    parser.add_argument("--recipe", type=Path, required=True, help="YAML recipe of the run")
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting: dotted key, YAML value; may be repeated",
    )


def settings_of(arguments: argparse.Namespace) -> TrainSettings:
    """The resolved settings.

    Raises:
        SettingsError: With every fault of the recipe.
    """
    return load_train_settings(arguments.recipe, arguments.overrides)
