"""A line chart as one small SVG file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 420, 60, 20, 20, 50
COLOURS = ("#0b6e99", "#c0392b", "#2e8b57", "#8e44ad")
TICKS = 5

Points = Sequence[tuple[float, float]]


def write_curve(path: Path, lines: Mapping[str, Points], *, x: str, y: str) -> None:
    """Write lines with axes, ticks and a legend."""
    everything = [point for points in lines.values() for point in points]
    span_x = (0.0, max(point[0] for point in everything))
    span_y = (min(p[1] for p in everything) * 0.95, max(p[1] for p in everything) * 1.02)

    def to_pixels(point: tuple[float, float]) -> tuple[float, float]:
        across = (point[0] - span_x[0]) / (span_x[1] - span_x[0])
        up = (point[1] - span_y[0]) / (span_y[1] - span_y[0])
        inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return LEFT + across * inner_width, TOP + (1 - up) * inner_height

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
    ]
    for number in range(TICKS + 1):
        share = number / TICKS
        at_x = span_x[0] + share * (span_x[1] - span_x[0])
        at_y = span_y[0] + share * (span_y[1] - span_y[0])
        left, low = to_pixels((at_x, span_y[0]))
        _, height = to_pixels((span_x[0], at_y))
        parts.append(
            f'<text x="{left:.1f}" y="{low + 16:.1f}" text-anchor="middle">{at_x:.2f}</text>'
        )
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height:.1f}" y2="{height:.1f}" '
            f'stroke="#ddd"/><text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">'
            f"{at_y:.2f}</text>"
        )
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        drawn = " ".join("{:.1f},{:.1f}".format(*to_pixels(point)) for point in points)
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            f'<text x="{WIDTH - RIGHT - 6}" y="{TOP + 16 * (number + 1)}" text-anchor="end" '
            f'fill="{colour}">{escape(name)}</text>'
        )
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x)}</text>')
    parts.append(f'<text x="{LEFT}" y="{TOP - 6}">{escape(y)}</text></svg>')
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")
