"""Small charts as inline SVG: they work offline, scale, and take their colours from the page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from refinery.report.data import Histogram

WIDTH, HEIGHT, MARGIN = 320, 120, 18


def number(value: float) -> str:
    """A short number for people: 1,234 or 3.4 M."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == ' k' else size):,.1f}{unit}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"


def histogram(data: Histogram, title: str) -> str:
    """Bars between edges; dashed lines at thresholds."""
    most = max(data.counts, default=0) or 1
    step = WIDTH / max(1, len(data.counts))
    bars = []
    for place, count in enumerate(data.counts):
        height = (HEIGHT - MARGIN) * count / most
        label = f"{data.edges[place]:g} to {data.edges[place + 1]:g}: {count:,}"
        bars.append(
            f'<rect class="bar" x="{place * step:.1f}" y="{HEIGHT - MARGIN - height:.1f}" '
            f'width="{max(1.0, step - 1):.1f}" height="{height:.1f}"><title>{label}</title></rect>'
        )
    low, high = data.edges[0], data.edges[-1]
    for mark in data.marks:
        x = step * float(np.interp(mark, data.edges, range(len(data.edges))))
        bars.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{HEIGHT - MARGIN}"/>')
        bars.append(f'<text x="{x:.1f}" y="8" text-anchor="{_side(x)}">{number(mark)}</text>')
    bars.append(f'<text x="0" y="{HEIGHT - 4}">{number(low)}</text>')
    bars.append(
        f'<text x="{WIDTH}" y="{HEIGHT - 4}" text-anchor="end">{number(high)} {escape(data.unit)}</text>'
    )
    return _svg(title, f"{sum(data.counts):,} documents, largest bar {most:,}", "".join(bars))


def _side(x: float) -> str:
    """Keep a label inside the figure."""
    return "end" if x > WIDTH / 2 else "start"


def curve(points: Sequence[tuple[float, float]], threshold: float, title: str) -> str:
    """A curve over [0, 1] x [0, 1] with a dashed line at the threshold."""
    floor = HEIGHT - MARGIN
    path = " ".join(f"{x * WIDTH:.1f},{floor - y * (floor - 4):.1f}" for x, y in points)
    x = threshold * WIDTH
    parts = (
        f'<polyline class="curve" points="{path}"/>'
        f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{floor}"/>'
        f'<text x="0" y="{HEIGHT - 4}">0</text>'
        f'<text x="{x:.1f}" y="{HEIGHT - 4}" text-anchor="middle">{threshold:g}</text>'
        f'<text x="{WIDTH}" y="{HEIGHT - 4}" text-anchor="end">1 Jaccard</text>'
    )
    return _svg(title, f"probability to become a candidate; threshold {threshold:g}", parts)


def _svg(title: str, description: str, body: str) -> str:
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}: {escape(description)}">{body}</svg></figure>'
    )


def meter(part: float, whole: float, label: str) -> str:
    """A horizontal bar of a share, with its words."""
    share = part / whole if whole else 0.0
    return (
        f'<div class="meter" role="img" aria-label="{escape(label)}: {share:.1%}">'
        f'<span style="width:{max(0.3, 100 * share):.2f}%"></span></div>'
    )
