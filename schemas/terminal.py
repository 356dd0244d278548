"""Consoles for what programs print: as wide as the terminal, or as the lines where nobody watches."""

from __future__ import annotations

from typing import Any

from rich.console import Console

# rich takes 80 columns for a pipe or a file, and cuts each cell of a wide table.
_PIPED_COLUMNS = 400


def open_console(**options: Any) -> Console:
    """A console that cuts no table in a pipe or a file.

    Args:
        options: Those of `rich.console.Console`.
    """
    console = Console(**options)
    return console if console.is_terminal else Console(width=_PIPED_COLUMNS, **options)
