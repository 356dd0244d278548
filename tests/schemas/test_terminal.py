"""What is piped is not cut at 80 columns."""

from __future__ import annotations

import io

from rich.table import Table

from schemas.terminal import open_console


def test_a_piped_table_has_all_of_its_cells() -> None:
    table = Table("name", *[f"a column with a long head {number}" for number in range(9)])
    table.add_row("row", *["a cell of thirty characters ..."] * 9)
    pipe = io.StringIO()

    open_console(file=pipe).print(table)

    assert "…" not in pipe.getvalue()
    assert pipe.getvalue().count("a cell of thirty characters ...") == 9


def test_a_terminal_keeps_its_width() -> None:
    assert open_console(force_terminal=True, width=70).width == 70
