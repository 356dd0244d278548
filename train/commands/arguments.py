"""Arguments that several verbs share."""

from __future__ import annotations

import argparse
from pathlib import Path

from train.recipe_files import find_recipe
from train.settings import TrainSettings, load_train_settings


def positive(text: str) -> int:
    """A whole number above 0; argparse tells of any other and ends with exit code 2."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got '{text}'")
    return number


def not_negative(text: str) -> int:
    """A whole number, 0 included."""
    return 0 if text == "0" else positive(text)


def existing_file(text: str) -> Path:
    """The path of a file that is there."""
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"no such file: {text}")
    return path


def existing_folder(text: str) -> Path:
    """The path of a folder that is there."""
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"no such folder: {text}")
    return path


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare `--recipe` and `--set`."""
    parser.add_argument(
        "--recipe",
        type=Path,
        required=True,
        help="YAML recipe of the run, or a name of `train recipes`",
    )
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting: dotted key, YAML value; may be repeated",
    )


def settings_of(arguments: argparse.Namespace) -> TrainSettings:
    """Read the recipe that the arguments name, with their changes.

    Raises:
        SettingsError: With every fault of the recipe.
    """
    return load_train_settings(find_recipe(arguments.recipe), arguments.overrides)
