from __future__ import annotations

from pathlib import Path

from tools.docs import recipes_page, tables_page

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_page_of_tables_is_current() -> None:
    assert (DOCS / "tables.md").read_text("utf-8") == tables_page(), "run: python -m tools.docs"


def test_the_page_of_settings_is_current() -> None:
    assert (DOCS / "recipes.md").read_text("utf-8") == recipes_page(), "run: python -m tools.docs"
