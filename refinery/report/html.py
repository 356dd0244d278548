"""Pieces that several sections of the page share; cells and captions are escaped by them or before."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from pages.tables import table
from refinery.report import charts
from refinery.report.data import Sample

__all__ = ["bars", "code", "excerpt", "sample_card", "table"]

TEXT_CHARS = 700


# About what a card shows without scrolling.
SHOWN_LINES, LINE_CHARS = 9, 40


def code(name: str) -> str:
    """The name of a rule or a reason; it may break behind its marks, on a narrow screen."""
    parts = escape(name).replace(":", ":<wbr>").replace("_", "_<wbr>")
    return f"<code>{parts}</code>"


def bars(caption: str, counts: Mapping[str, int], whole: int, unit: str = "documents") -> str:
    """A table of counts, each with its share of `whole` as a bar and as a number."""
    rows = [
        (
            code(name),
            charts.meter(count, whole, f"{name}, {count:,}"),
            f"{count:,}",
            f"{count / max(1, whole):.1%}",
        )
        for name, count in counts.items()
    ]
    return table(caption, ("name", "", unit, "share"), rows, words=2)


def sample_card(sample: Sample) -> str:
    """A document's excerpt under its source, address and reason."""
    where = escape(sample.url or sample.doc_id)
    reason = f'<span class="tag">{escape(sample.reason)}</span>' if sample.reason else ""
    title = f"<b>{escape(sample.title[:120])}</b> " if sample.title else ""
    marked = f"<mark>{escape(sample.marked)}</mark>" if sample.marked else ""
    text = f"{escape(sample.before[:TEXT_CHARS])}{marked}{escape(sample.after[:TEXT_CHARS])}"
    return (
        f'<article class="sample"><header>{reason}{title}<small>{escape(sample.source)} · '
        f"<bdi>{where}</bdi></small></header>{excerpt(text, sample.before + sample.after)}</article>"
    )


def excerpt(markup: str, plain: str) -> str:
    """A document's text; a long one scrolls, and can be reached with the keyboard.

    Args:
        markup: The text as HTML, with marks in it.
        plain: The same text without tags, from which its lines are counted.
    """
    lines = sum(1 + len(line) // LINE_CHARS for line in plain.split("\n"))
    focus = ' tabindex="0" role="group" aria-label="text"' if lines > SHOWN_LINES else ""
    return f'<pre dir="auto"{focus}>{markup}</pre>'
