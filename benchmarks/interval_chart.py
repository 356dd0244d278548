"""Differences with their intervals as one small SVG file, in groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, RIGHT, TOP, ROW = 720, 30, 30, 22
CHAR_WIDTH = 6.4  # of the labels, about
COLOUR, ZERO, TEXT = "#0b6e99", "#c0392b", "#222"
MOST_TICKS = 6


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value between two ends."""

    label: str
    value: float
    low: float
    high: float


def write_intervals(path: Path, groups: Mapping[str, Sequence[Interval]], *, x: str) -> None:
    """Write dots with their intervals below the title of each group, and a line at zero.

    Args:
        path: The file.
        groups: At least one interval in all; groups without one are left out.
        x: What the axis counts.

    Raises:
        ValueError: There is no interval.
    """
    shown = {title: rows for title, rows in groups.items() if rows}
    ends = [end for rows in shown.values() for row in rows for end in (row.low, row.high)]
    if not ends:
        raise ValueError("no interval to draw")
    low, high = min(0.0, *ends), max(0.0, *ends)
    margin = 0.04 * ((high - low) or 1.0)
    low, high = low - margin, high + margin
    lines = sum(len(rows) + 1 for rows in shown.values())
    bottom = TOP + ROW * lines
    labels = 20 + CHAR_WIDTH * max(len(row.label) for rows in shown.values() for row in rows)
    height = bottom + 44

    def across(value: float) -> float:
        return labels + (value - low) / (high - low) * (WIDTH - labels - RIGHT)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" font-size="12" fill="{TEXT}" role="img" aria-label="{escape(x)}">'
        '<rect width="100%" height="100%" fill="white"/>'
    ]
    for value in _ticks(low, high):
        parts.append(
            f'<line x1="{across(value):.1f}" x2="{across(value):.1f}" y1="{TOP - 8}" y2="{bottom}" stroke="#ddd"/>'
            f'<text x="{across(value):.1f}" y="{bottom + 16}" text-anchor="middle">{f"{value:+.10g}" if value else 0}</text>'
        )
    parts.append(
        f'<line x1="{across(0):.1f}" x2="{across(0):.1f}" y1="{TOP - 8}" y2="{bottom}" stroke="{ZERO}"/>'
    )
    level = TOP
    for title, rows in shown.items():
        parts.append(f'<text x="8" y="{level + 5}" font-weight="bold">{escape(title)}</text>')
        level += ROW
        for row in rows:
            parts.append(
                f'<text x="{labels - 10:.1f}" y="{level + 4}" text-anchor="end">{escape(row.label)}</text>'
                f'<line x1="{across(row.low):.1f}" x2="{across(row.high):.1f}" y1="{level}" y2="{level}" '
                f'stroke="{COLOUR}" stroke-width="2"/>'
                f'<circle cx="{across(row.value):.1f}" cy="{level}" r="4" fill="{COLOUR}"/>'
            )
            level += ROW
    middle = (labels + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle:.1f}" y="{bottom + 36}" text-anchor="middle">{escape(x)}</text></svg>')  # fmt: skip
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two ends, zero among them where it lies there."""
    power = 10.0 ** math.floor(math.log10(high - low))
    step = next(
        unit * power
        for unit in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
        if (high - low) / (unit * power) <= MOST_TICKS
    )
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
