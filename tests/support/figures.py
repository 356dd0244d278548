"""The figure of a chart, read back from its markup."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any


class Figure(HTMLParser):
    """What the figure of a chart holds."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.data: dict[str, Any] = {}
        self.label = ""
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        found = dict(attrs)
        if tag == "figure":
            self.data = json.loads(found["data-chart"] or "")
        if found.get("class") == "plot":
            self.label = found["aria-label"] or ""

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] in ("td", "th"):
            self.cells.append(data)
