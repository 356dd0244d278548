"""Tables, facts and meters as HTML; cells are HTML that the caller has escaped, names are escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

SUM_ROW = "all"


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
    """A table that scrolls sideways where it must; readers sort it by the headings of its columns.

    A row that begins with `SUM_ROW` stays at the end.

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
        mark = " class=sum" if row[0] == SUM_ROW else ""
        lines.append(f"<tr{mark}>{''.join(cells)}</tr>")
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


def escaped(row: Iterable[str]) -> tuple[str, ...]:
    """The cells of a row of plain text, as a table takes them."""
    return tuple(map(escape, row))


def facts(values: Mapping[str, str]) -> str:
    """The numbers that a page begins with, by their names; both are plain text."""
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in values.items()
    )
    return f'<dl class="facts">{items}</dl>'


def meter(part: float, whole: float, label: str) -> str:
    """A horizontal bar of a share; `label` and the share are its text for screen readers."""
    share = part / whole if whole else 0.0
    return (
        f'<div class="meter" role="img" aria-label="{escape(label)}: {share:.1%}">'
        f'<span style="width:{max(0.3, 100 * share):.2f}%"></span></div>'
    )
