"""`train recipes [NAME]`: the recipes that ship with the package."""

from __future__ import annotations

import argparse
from pathlib import Path

from schemas.errors import SettingsError
from schemas.settings import nearest

_FOLDER = Path(__file__).resolve().parents[1] / "recipes"


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


def shipped_recipes() -> dict[str, Path]:
    """The recipes of the package by name."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.yaml"))}


def find_recipe(path: Path) -> Path:
    """The file that `--recipe` names: a path, or the name of a recipe of the package.

    Raises:
        SettingsError: It is neither.
    """
    # A folder of the name is a run of it, as often as not.
    is_file = path.exists() and not path.is_dir()
    if is_file or len(path.parts) > 1 or path.suffix in (".yaml", ".yml", ".json"):
        return path
    known = shipped_recipes()
    if str(path) not in known:
        raise SettingsError(f"--recipe {path}: no such file, and no recipe of the package"
                            f"{nearest(str(path), set(known))}")  # fmt: skip
    return known[str(path)]
