"""`train recipes [NAME]`: the recipes that ship with the package."""

from __future__ import annotations

import argparse
from pathlib import Path

from train.recipe_files import find_recipe, shipped_recipes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="print this recipe, to copy and change")


def run(args: argparse.Namespace) -> int:
    """List the recipes with their first comment, or print one."""
    if args.name is not None:
        print(find_recipe(Path(args.name)).read_text("utf-8"), end="")
        return 0
    for name, path in shipped_recipes().items():
        print(f"{name:<16} {path.read_text('utf-8').splitlines()[0].removeprefix('# ')}")
    return 0
