"""Print a comparison, with what stands below it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from schemas.terminal import open_console
from train.comparison.compare import ONE_SEED, Row
from train.comparison.words import HEADS, cells, notes, title


def print_comparison(rows: Sequence[Row]) -> None:
    """One table for each recipe that is held against the first."""
    console = open_console()
    for other in dict.fromkeys(row.other for row in rows):
        own = [row for row in rows if row.other == other]
        table = Table(*HEADS, title=Text(f"{other} (other) beside {own[0].first} (first)"))
        for row in own:
            # Names come from files: what looks like markup in them is none.
            table.add_row(*map(Text, cells(row)))
        console.print(table)
        if any(ONE_SEED in row.warnings for row in own):
            console.print(ONE_SEED, highlight=False, markup=False, soft_wrap=True)
        for row in own:
            for note in notes(row):
                if note != ONE_SEED:
                    line = f"{row.task}, {title(row.figure)}: {note}"
                    console.print(line, highlight=False, markup=False, soft_wrap=True)
