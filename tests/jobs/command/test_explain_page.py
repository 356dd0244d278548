"""The page of `refinery explain --html`: edits shown in the text, nothing executed."""

from __future__ import annotations

from pathlib import Path

from jobs.command.explain_file import explain_file
from jobs.command.explain_page import render_page
from refinery.clean.cleaner import Cleaner
from refinery.clean.config import CleanConfig

TEXT = "Call me at anna.smith@gmail.com today. <script>alert(1)</script>\n" * 3


def test_a_page_shows_verdict_edits_and_changes(tmp_path: Path) -> None:
    page = tmp_path / "a<b>.txt"
    page.write_text(TEXT, "utf-8")
    config = CleanConfig.model_validate({"rules": {"pii": {}}})
    with Cleaner(config, {}) as cleaner:
        found = [
            explain_file(cleaner, str(page)),
            explain_file(cleaner, str(tmp_path / "missing.txt")),
        ]

    shown = render_page(found)

    assert "<script>" not in shown
    assert "a&lt;b&gt;.txt" in shown
    assert "dropped: " in shown  # too short for the rules
    assert "rejected: file:unreadable" in shown
    assert 'title="pii:email">anna.smith@gmail.com</del>' in shown
    assert shown.count("<h2>") == 2
