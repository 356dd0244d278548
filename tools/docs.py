"""Generated pages: `docs/tables.md` from the tables, `docs/recipes.md` from the settings.

python -m tools.docs          writes both
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic_core import PydanticUndefined

from refinery.recipe import RefineSettings
from schemas.errors import run_main
from schemas.settings import Settings
from schemas.tables import TABLES

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
    """Every setting with its type, default and meaning."""
    lines = [
        "# Recipes",
        "",
        "Made by `python -m tools.docs` from the settings' classes. A settings file has two halves: `recipe`",
        "(what the data is; fingerprinted) and `runtime` (where and how it runs; never fingerprinted). Any key",
        "can be set on the command line: `--set recipe.dedup.threshold=0.7`. An unknown key is an error that",
        "names the nearest one. `refinery init FOLDER` writes a first recipe.",
        "",
        "| setting | type | default | meaning |",
        "|---|---|---|---|",
    ]
    lines += list(_rows(RefineSettings, ""))
    return "\n".join(lines) + "\n"


def _rows(model: type[Settings], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        inner = _settings_in(field.annotation)
        meaning = (field.description or _summary(inner)).replace("|", "\\|").replace("\n", " ")
        default = _default(field.default, field.is_required())
        yield f"| `{path}` | {_type_name(field.annotation)} | {default} | {meaning} |"
        for one in inner:
            many = get_origin(field.annotation) in (tuple, list)
            yield from _rows(one, f"{path}{'[]' if many else ''}.")


def _settings_in(annotation: Any) -> list[type[Settings]]:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [found for part in get_args(annotation) for found in _settings_in(part)]


def _summary(inner: list[type[Settings]]) -> str:
    return (inner[0].__doc__ or "").strip().split("\n\n")[0] if inner else ""


def _default(value: Any, is_required: bool) -> str:  # noqa: FBT001
    if is_required:
        return "required"
    if value is PydanticUndefined or isinstance(value, Settings):
        return ""
    return f"`{value}`".replace("|", "\\|")


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, type):
        return "section" if issubclass(annotation, Settings) else annotation.__name__
    return str(annotation).replace("typing.", "").replace("NoneType", "None").replace("|", "\\|")


def main(argv: list[str]) -> int:
    """Write both pages."""
    (DOCS / "tables.md").write_text(tables_page(), encoding="utf-8")
    (DOCS / "recipes.md").write_text(recipes_page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    run_main(main)
