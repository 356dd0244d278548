"""Small charts as inline SVG: they work offline, scale, and take their colours from the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from refinery.report.data import Histogram

WIDTH, HEIGHT, MARGIN = 320, 130, 20
# Labels stand this far from the line that they name, and ticks at least so far apart.
GAP, TICK_WIDTH = 4, 34


def number(value: float) -> str:
    """A short number for people: 1,234 or 3.4 M."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == ' k' else size):,.1f}".removesuffix(".0") + unit
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"


def histogram(data: Histogram, title: str) -> str:
    """Bars between edges; dashed lines at thresholds, ticks at decades or quarters."""
    most = max(data.counts, default=0) or 1
    step = WIDTH / max(1, len(data.counts))
    bars = []
    for index, count in enumerate(data.counts):
        height = (HEIGHT - MARGIN) * count / most
        label = f"{data.edges[index]:g} to {data.edges[index + 1]:g}: {count:,}"
        bars.append(
            f'<rect class="bar" x="{index * step:.1f}" y="{HEIGHT - MARGIN - height:.1f}" '
            f'width="{max(1.0, step - 1):.1f}" height="{height:.1f}"><title>{label}</title></rect>'
        )
    for mark in data.marks:
        x = step * _bars_from_left(mark, data)
        side = -1 if x > WIDTH / 2 else 1  # inside the figure
        anchor = "end" if side < 0 else "start"
        bars.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT - MARGIN}"/>')
        bars.append(
            f'<text class="label" x="{x + side * GAP:.1f}" y="11" text-anchor="{anchor}">'
            f"{number(mark)}</text>"
        )
    bars += _ticks(data, step)
    words = f"{sum(data.counts):,} documents by {data.unit}, most {most:,}"
    thresholds = "".join(f", threshold {number(mark)}" for mark in data.marks)
    return _svg(title, words, "".join(bars), spoken=thresholds)


def _bars_from_left(value: float, data: Histogram) -> float:
    """Where a value is drawn, in widths of a bar from the left end."""
    return float(np.interp(value, data.edges, range(len(data.edges))))


def _ticks(data: Histogram, step: float) -> Iterator[str]:
    """Numbers below the axis: the ends, and what lies between as far as there is room."""
    low, high = data.edges[0], data.edges[-1]
    inner: list[float] = (
        [edge for edge in data.edges[1:-1] if edge >= 1 and float(np.log10(edge)).is_integer()]
        if high > 1
        else [low + (high - low) * part / 4 for part in (1, 2, 3)]
    )
    yield f'<text x="0" y="{HEIGHT - 5}">{low:g}</text>'
    taken = TICK_WIDTH / 2
    for value in inner:
        x = step * _bars_from_left(value, data)
        if taken + TICK_WIDTH / 2 <= x <= WIDTH - 1.5 * TICK_WIDTH:
            yield f'<text x="{x:.1f}" y="{HEIGHT - 5}" text-anchor="middle">{number(value)}</text>'
            taken = x + TICK_WIDTH / 2
    yield f'<text x="{WIDTH}" y="{HEIGHT - 5}" text-anchor="end">{number(high)}</text>'


def curve(points: Sequence[tuple[float, float]], threshold: float, title: str) -> str:
    """A curve over [0, 1] x [0, 1] with a dashed line at the threshold."""
    floor = HEIGHT - MARGIN
    left, top = 34, 8
    span = WIDTH - left
    path = " ".join(f"{left + x * span:.1f},{floor - y * (floor - top):.1f}" for x, y in points)
    x = left + threshold * span
    levels = "".join(
        f'<line class="level" x1="{left}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{left - GAP}" y="{y + 3:.1f}" text-anchor="end">{share:.0%}</text>'
        for share in (0, 0.5, 1)
        for y in (floor - share * (floor - top),)
    )
    parts = (
        f'{levels}<polyline class="curve" points="{path}"/>'
        f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{floor}"/>'
        f'<text x="{left}" y="{HEIGHT - 5}">0</text>'
        f'<text x="{x:.1f}" y="{HEIGHT - 5}" text-anchor="middle">{threshold:g}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 5}" text-anchor="end">1</text>'
    )
    return _svg(
        title,
        "chance of being compared, by Jaccard similarity",
        parts,
        spoken=f", threshold {threshold:g}",
    )


def _svg(title: str, description: str, body: str, *, spoken: str) -> str:
    """A figure with its caption; screen readers read `spoken` after the description."""
    return (
        f"<figure><figcaption>{escape(title)} <small>{escape(description)}</small></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title + ": " + description + spoken)}">{body}</svg></figure>'
    )


def meter(part: float, whole: float, label: str) -> str:
    """A horizontal bar of a share; `label` and the share are its text for screen readers."""
    share = part / whole if whole else 0.0
    return (
        f'<div class="meter" role="img" aria-label="{escape(label)}: {share:.1%}">'
        f'<span style="width:{max(0.3, 100 * share):.2f}%"></span></div>'
    )
