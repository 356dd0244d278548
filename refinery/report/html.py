"""Pieces that several sections of the page share; cells and captions are escaped by them or before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from refinery.report import charts
from refinery.report.data import Sample

TEXT_CHARS = 700


# About what a card shows without scrolling.
SHOWN_LINES, LINE_CHARS = 9, 40


def table(
    caption: str,
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    words: int = 1,
    groups: Sequence[tuple[str, int]] = (),
    pinned: bool = False,
    ends_in_words: bool = False,
) -> str:
    """A table that scrolls sideways where it must.

    Args:
        caption: Text above the table; screen readers use it as the table's name.
        head: Titles of the columns, as plain text.
        rows: Cells of each row; they are HTML, so text in them is escaped already.
        words: Number of columns at the left that hold text; the others hold numbers.
        groups: A line above the head, as (title, number of columns that it spans).
        pinned: Whether the first column stays in view while the others scroll.
        ends_in_words: Whether the last column holds text, too.
    """
    numbers = range(words, len(head) - ends_in_words)
    titles = "".join(
        f'<th scope="col"{" class=n" if i in numbers else ""}>{escape(name)}</th>'
        if name
        else "<td></td>"
        for i, name in enumerate(head)
    )
    lines = []
    for row in rows:
        cells = [f'<th scope="row">{row[0]}</th>']
        cells += [
            f"<td{' class=n' if i in numbers else ''}>{cell}</td>"
            for i, cell in enumerate(row)
            if i
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    if not lines:
        return f"<p class=none>{escape(caption)}: none.</p>"
    above = "".join(
        f'<th scope="colgroup" colspan="{width}">{escape(name)}</th>'
        if name
        else f'<td colspan="{width}"></td>'
        for name, width in groups
    )
    return (
        f'<div class="wide{" pinned" if pinned else ""}" tabindex="0" role="group" '
        f'aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption>"
        f"<thead>{f'<tr class=groups>{above}</tr>' if above else ''}<tr>{titles}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


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
