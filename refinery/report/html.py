"""Pieces that several sections of the page share; cells and captions are escaped by them or before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from refinery.report import charts
from refinery.report.data import Sample

TEXT_CHARS = 700


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1
) -> str:
    """A table; the first `words` columns are text, the others numbers. Cells are HTML already."""
    titles = "".join(
        f'<th scope="col"{"" if i < words else " class=n"}>{escape(name)}</th>'
        for i, name in enumerate(head)
    )
    lines = []
    for row in rows:
        cells = [f'<th scope="row">{row[0]}</th>']
        cells += [
            f"<td{'' if i < words else ' class=n'}>{cell}</td>" for i, cell in enumerate(row) if i
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    if not lines:
        return f"<p class=none>{escape(caption)}: none.</p>"
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{titles}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def bars(caption: str, counts: Mapping[str, int], whole: int, unit: str = "documents") -> str:
    """A table of counts, each with its share of `whole` as a bar."""
    rows = [
        (
            f"<code>{escape(name)}</code>",
            charts.meter(count, whole, f"{name}, {count:,}"),
            f"{count:,}",
        )
        for name, count in counts.items()
    ]
    return table(caption, ("name", "share", unit), rows, words=2)


def sample_card(sample: Sample) -> str:
    """One document's excerpt."""
    where = escape(sample.url or sample.doc_id)
    reason = f'<span class="tag">{escape(sample.reason)}</span>' if sample.reason else ""
    title = f"<b>{escape(sample.title[:120])}</b> " if sample.title else ""
    marked = f"<mark>{escape(sample.marked)}</mark>" if sample.marked else ""
    text = f"{escape(sample.before[:TEXT_CHARS])}{marked}{escape(sample.after[:TEXT_CHARS])}"
    return (
        f'<article class="sample"><header>{reason}{title}<small>{escape(sample.source)} · '
        f'<bdi>{where}</bdi></small></header><pre dir="auto">{text}</pre></article>'
    )
