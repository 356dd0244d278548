"""Recipes as people name them: a file, or one of those that ship with the package."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import SettingsError
from schemas.settings import nearest

_FOLDER = Path(__file__).resolve().parent / "recipes"


def shipped_recipes() -> dict[str, Path]:
    """The recipes of the package by name."""
    return {path.stem: path for path in sorted(_FOLDER.glob("*.yaml"))}


def find_recipe(path: Path, *, said_by: str = "--recipe") -> Path:
    """The file that a user means: a path, or the name of a recipe of the package.

    Args:
        path: What the user wrote.
        said_by: The option or key that it stands behind, for the error.

    Raises:
        SettingsError: It is neither.
    """
    # A folder of the name is a run of it, as often as not.
    is_file = path.exists() and not path.is_dir()
    if is_file or len(path.parts) > 1 or path.suffix in (".yaml", ".yml", ".json"):
        return path
    known = shipped_recipes()
    if str(path) not in known:
        raise SettingsError(f"{said_by} {path}: no such file, and no recipe of the package"
                            f"{nearest(str(path), set(known))}")  # fmt: skip
    return known[str(path)]
