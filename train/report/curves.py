"""Curves as SVG text, which needs no script, no font and no other file."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT = 560, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 12, 26, 30
_MOST_POINTS = 600
# Colours of lines, which the page's style names --line-0, --line-1 ...; lighter ones on dark screens.
COLOURS = ("#2563a8", "#c2571a", "#2a7d4f", "#8a3fa0", "#a8323e", "#5b6b7a", "#857000", "#1b8a94")
LIGHT_COLOURS = (
    "#6ea8e8", "#f0935a", "#63c08c", "#c98ade", "#ee7d88", "#a3b2c0", "#d3bd4e", "#5cc8d2",
)  # fmt: skip
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Lines over steps, by the name that the legend gives them."""

    title: str
    lines: Mapping[str, Points]
    logarithmic: bool = False


def draw(chart: Chart) -> str:
    """The chart as an `<svg>` element; empty where no line has a finite point."""
    lines = {name: _finite(points, chart) for name, points in chart.lines.items()}
    lines = {name: points for name, points in lines.items() if points}
    if not lines:
        return ""
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    frame = _Frame(min(xs), max(xs), min(ys), max(ys))
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(chart.title)}">',
        f'<text class="title" x="{_LEFT}" y="15">{html.escape(chart.title)}</text>',
        *_grid(frame, chart),
    ]
    for number, points in enumerate(lines.values()):
        colour = _colour(number)
        path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in _thinned(points))
        parts.append(f'<polyline points="{path}" style="stroke:{colour}"/>')
        if len(points) == 1:
            x, y = points[0]
            parts.append(
                f'<circle cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="2.5" style="fill:{colour}"/>'
            )
    parts.append("</svg>")
    return "".join(parts) + _legend(lines)


@dataclass(frozen=True)
class _Frame:
    low_x: float
    high_x: float
    low_y: float
    high_y: float

    def x(self, value: float) -> float:
        span = self.high_x - self.low_x or 1.0
        return _LEFT + (value - self.low_x) / span * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        span = self.high_y - self.low_y
        if span == 0:  # a line that never moves lies in the middle
            return _TOP + (_HEIGHT - _TOP - _BOTTOM) / 2
        return _HEIGHT - _BOTTOM - (value - self.low_y) / span * (_HEIGHT - _TOP - _BOTTOM)


def _finite(points: Points, chart: Chart) -> list[tuple[float, float]]:
    kept = [(x, y) for x, y in points if math.isfinite(y) and (y > 0 or not chart.logarithmic)]
    return [(x, math.log10(y)) for x, y in kept] if chart.logarithmic else kept


def _thinned(points: Points) -> Points:
    """At most about `_MOST_POINTS` points: the lowest and highest of each stretch, so peaks stay."""
    stretch = math.ceil(len(points) / (_MOST_POINTS / 2))
    if stretch <= 1:
        return points
    kept: list[tuple[float, float]] = []
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch]
        ends = {min(part, key=lambda p: p[1]), max(part, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept


def _grid(frame: _Frame, chart: Chart) -> list[str]:
    parts = []
    shares = (0.0, 0.25, 0.5, 0.75, 1.0) if frame.high_y > frame.low_y else (0.0,)
    for share in shares:
        value = frame.low_y + share * (frame.high_y - frame.low_y)
        y = frame.y(value)
        label = _number(10**value if chart.logarithmic else value)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="y" x="{_LEFT - 6}" y="{y + 4:.1f}">{label}</text>')
    for share in (0.0, 0.5, 1.0):
        step = frame.low_x + share * (frame.high_x - frame.low_x)
        anchor = ("start", "middle", "end")[round(share * 2)]
        parts.append(
            f'<text x="{frame.x(step):.1f}" y="{_HEIGHT - 10}" text-anchor="{anchor}">'
            f"{'step ' if share == 0 else ''}{step:,.0f}</text>"
        )
    return parts


def _colour(number: int) -> str:
    return f"var(--line-{number % len(COLOURS)})"


def _number(value: float) -> str:
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e5, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):.3g}{unit}"
    if value and abs(value) < 1e-3:
        return f"{value:.1e}"
    return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _legend(lines: Mapping[str, Points]) -> str:
    if len(lines) < 2:
        return ""
    items = [
        f'<span><i style="background:{_colour(number)}"></i>{html.escape(name)}</span>'
        for number, name in enumerate(lines)
    ]
    return f'<p class="legend">{"".join(items)}</p>'
