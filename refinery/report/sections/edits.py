"""What edits took out of the texts: how much of which source, and examples of each kind."""

from __future__ import annotations

from collections import Counter
from html import escape
from itertools import groupby

from refinery.report import charts
from refinery.report.data import EditExample, ReportData
from refinery.report.html import code, table

SHOWN_SOURCES = 10


def edits_section(data: ReportData) -> str:
    """Edits by kind and source, and examples by kind; empty where there are none."""
    if not data.edits:
        return "<p class=none>No edit was made.</p>"
    sources: Counter[str] = Counter()
    characters: Counter[tuple[str, str]] = Counter()
    edits: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    for row in data.edits:
        sources[row.source] += row.characters
        characters[row.reason, row.source] += row.characters
        edits[row.reason] += row.edits
        documents[row.reason] += row.documents
    shown = sorted(sources, key=lambda name: (-sources[name], name))[:SHOWN_SOURCES]
    rows = [
        (
            code(reason),
            f"{edits[reason]:,}",
            f"{documents[reason]:,}",
            *(charts.number(characters[reason, source]) for source in shown),
        )
        for reason in sorted(edits, key=lambda name: (-edits[name], name))
    ]
    head = ("kind", "edits", "documents", *(f"{source}: characters" for source in shown))
    return (
        "<p>Edits remove or replace spans of the extracted text; the text itself is never rewritten. "
        "Also of documents that a later stage drops.</p>"
        + table(
            "Edits by kind, and the characters that they took from each source",
            head,
            rows,
            pinned=True,
        )
        + "".join(
            f"<details><summary>{code(reason)}: examples</summary>{''.join(map(_example, group))}</details>"
            for reason, group in groupby(data.edit_examples, key=lambda one: one.reason)
        )
    )


def _example(example: EditExample) -> str:
    put = f"<ins>{_line(example.replacement)}</ins>" if example.replacement else ""
    where = escape(example.url or example.doc_id)
    return (
        f'<article class="edit"><p dir="auto">{_line(example.before)}<del>{_line(example.removed)}</del>'
        f"{put}{_line(example.after)}</p><small><bdi>{where}</bdi></small></article>"
    )


def _line(text: str) -> str:
    """Text on one line: an edit is read in its sentence."""
    return escape(text.replace("\n", " ⏎ "))
