"""Charts as figures that the page's script draws; each has its values as a table, too.

What a chart shows is in an attribute of its figure as JSON, so that text in it is never markup. Where no
script runs, in mail or for a screen reader, the description and the table remain.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from pages.numbers import short
from pages.tables import escaped, table

CHART_MARK = 'class="chart'
# Points of one chart: with the library a page of a dozen charts stays below 6 MB.
MOST_POINTS = 2_400
MOST_ROWS = 12
# Names come from data: longer ones would cover the plot.
NAME_CHARS = 60


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a chart.

    Attributes:
        name: What the legend calls it; empty where the chart has one line.
        x: Where its points lie, by the name of an axis; the page offers a choice where there are several.
        y: The values; one that is not finite leaves a gap.
        markers: Whether each point is marked: for lines of few points.
        colour: Number of its colour; None: its position in the chart.
        dashed: Whether the line is broken, to tell two lines of one colour apart.
        joined: Whether a line joins the points; else each stands alone.
    """

    name: str
    x: Mapping[str, Sequence[float]]
    y: Sequence[float]
    markers: bool = False
    colour: int | None = None
    dashed: bool = False
    joined: bool = True


@dataclass(frozen=True, kw_only=True)
class LineChart:
    """Lines over one axis or a choice of several.

    Attributes:
        unit: What the values are, beside the title.
        marks: Values of x with a dashed line.
        percent: Whether values are shares that are shown in percent.
    """

    title: str
    series: Sequence[Series]
    unit: str = ""
    logarithmic: bool = False
    marks: Sequence[float] = ()
    percent: bool = False


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Counts between edges, drawn as bars of one width; `marks` are values with a dashed line."""

    title: str
    unit: str
    edges: Sequence[float]
    counts: Sequence[int]
    marks: Sequence[float] = ()


@dataclass(frozen=True, kw_only=True)
class GroupedBars:
    """Shares by name, side by side for each group, with a note behind each name's bars.

    Attributes:
        groups: Name of a group to the shares of all labels.
        notes: A text for each label; those in `warned` stand out.
    """

    title: str
    unit: str
    labels: Sequence[str]
    groups: Mapping[str, Sequence[float]]
    notes: Sequence[str]
    warned: Sequence[bool]


@dataclass(frozen=True, kw_only=True)
class Dots:
    """Values of one colour with their intervals; None where a row has none.

    Attributes:
        values: One for each row of the chart.
        lows: Lower ends; None draws a dot without an interval.
        highs: Upper ends.
    """

    name: str
    values: Sequence[float | None]
    lows: Sequence[float | None]
    highs: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """Values with intervals by name, one row each, and marks beside them.

    Attributes:
        labels: Names of the rows.
        dots: The values; several lie one under the other in each row.
        marks: What the values are to be held against, by its name: a value for each row, or None.
        zero: Whether a line marks zero.
        percent: Whether values are shares that are shown in percent.
    """

    title: str
    labels: Sequence[str]
    dots: Sequence[Dots]
    unit: str = ""
    marks: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    zero: bool = False
    percent: bool = False


@dataclass(frozen=True, kw_only=True)
class ParallelAxis:
    """An axis of a chart of parallel coordinates.

    Attributes:
        values: One for each line; None where a line has none.
        ticks: What stands at some values, as (value, text).
    """

    name: str
    values: Sequence[float | None]
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True, kw_only=True)
class Parallel:
    """Lines over several axes side by side, coloured by group.

    Attributes:
        lines: Name of each line.
        groups: Number of each line's group; lines of the first one are drawn above the others.
        names: What the groups are called.
    """

    title: str
    unit: str
    axes: Sequence[ParallelAxis]
    lines: Sequence[str]
    groups: Sequence[int]
    names: Sequence[str]


def line_chart(chart: LineChart) -> str:
    """The figure of a chart; empty where no line has a point to draw."""
    lines = [line for line in chart.series if _drawable(line, logarithmic=chart.logarithmic)]
    if not lines:
        return ""
    most = max(MOST_POINTS // len(lines), 20)
    drawn = [_thinned(line, most, logarithmic=chart.logarithmic) for line in lines]
    data = {
        "kind": "lines",
        "axes": list(lines[0].x),
        "log": chart.logarithmic,
        "percent": chart.percent,
        "marks": list(chart.marks),
        "series": [
            {
                "name": _name(line.name),
                "x": {axis: [_rounded(v, 9) for v in values] for axis, values in line.x.items()},
                "y": [_rounded(v, 6) for v in line.y],
                "markers": line.markers or len(line.y) == 1,
                "colour": number if line.colour is None else line.colour,
                "dashed": line.dashed,
                "joined": line.joined,
            }
            for number, line in enumerate(drawn)
        ],
    }
    spoken = "; ".join(_spoken(line) for line in lines)
    marks = "".join(f", threshold {short(mark)}" for mark in chart.marks)
    axis = next(iter(lines[0].x))
    values = table(
        f"Values of {chart.title}",
        ("line", axis, "value"),
        (escaped(row) for line in lines for row in _sampled(line, axis)),
        words=1,
    )
    return _figure(chart.title, chart.unit, data, spoken=f"{spoken}{marks}", values=values)


def histogram(chart: Histogram) -> str:
    """The figure of a histogram."""
    total, most = sum(chart.counts), max(chart.counts, default=0)
    names = [f"{low:g} to {high:g}" for low, high in itertools.pairwise(chart.edges)]
    data = {
        "kind": "histogram",
        "names": names,
        "counts": list(chart.counts),
        "ticks": [[at, short(value)] for at, value in _ticks(chart.edges)],
        "marks": [[_bars_from_left(mark, chart.edges), short(mark)] for mark in chart.marks],
    }
    unit = f"{total:,} documents by {chart.unit}, most {most:,}"
    thresholds = ", ".join(f"threshold {short(mark)}" for mark in chart.marks)
    rows = [(name, f"{count:,}") for name, count in zip(names, chart.counts, strict=True) if count]
    values = table(f"Values of {chart.title}", (chart.unit, "documents"), map(escaped, rows))
    return _figure(chart.title, unit, data, spoken=thresholds, values=values)


def grouped_bars(chart: GroupedBars) -> str:
    """The figure of bars by name and group."""
    data = {
        "kind": "bars",
        "labels": [_name(label) for label in chart.labels],
        "groups": [
            [name, [_rounded(v, 6) for v in values]] for name, values in chart.groups.items()
        ],
        "notes": [_name(note) for note in chart.notes],
        "warned": list(chart.warned),
    }
    spoken = "; ".join(
        f"{label} " + ", ".join(f"{values[i]:.0%} {name}" for name, values in chart.groups.items())
        for i, label in enumerate(chart.labels[:MOST_ROWS])
    )
    return _figure(chart.title, chart.unit, data, spoken=spoken, values="", kind="broad")


def interval_chart(chart: Intervals) -> str:
    """The figure of values with intervals; empty where there is no value."""
    if not any(_is_known(value) for dots in chart.dots for value in dots.values):
        return ""
    data = {
        "kind": "intervals",
        "labels": [_name(label) for label in chart.labels],
        "dots": [
            {
                "name": _name(dots.name),
                "x": [_finite(value) for value in dots.values],
                "low": [_finite(value) for value in dots.lows],
                "high": [_finite(value) for value in dots.highs],
            }
            for dots in chart.dots
        ],
        "marks": [
            [_name(name), [_finite(value) for value in values]]
            for name, values in chart.marks.items()
        ],
        "zero": chart.zero,
        "percent": chart.percent,
    }
    rows = [
        (label, dots.name, *(_shown(ends[i], percent=chart.percent) for ends in (dots.values, dots.lows, dots.highs)))
        for i, label in enumerate(chart.labels)
        for dots in chart.dots
        if _is_known(dots.values[i])
    ]  # fmt: skip
    rows += [
        (label, name, _shown(values[i], percent=chart.percent), "", "")
        for name, values in chart.marks.items()
        for i, label in enumerate(chart.labels)
        if _is_known(values[i])
    ]
    spoken = "; ".join(f"{row[0]} {row[1]} {row[2]}" for row in rows[:MOST_ROWS])
    values = table(
        f"Values of {chart.title}",
        ("row", "of", "value", "from", "to"),
        map(escaped, rows),
        words=2,
    )
    return _figure(chart.title, chart.unit, data, spoken=spoken, values=values, kind="broad")


def parallel_chart(chart: Parallel) -> str:
    """The figure of parallel coordinates; empty where there are not two axes and a line."""
    if len(chart.axes) < 2 or not chart.lines:
        return ""
    data = {
        "kind": "parallel",
        "axes": [
            {
                "name": _name(axis.name),
                "values": [_share(value, axis) for value in axis.values],
                "ticks": [[_share(value, axis), _name(text)] for value, text in axis.ticks],
            }
            for axis in chart.axes
        ],
        "lines": [_name(line) for line in chart.lines],
        "groups": list(chart.groups),
        "names": [_name(name) for name in chart.names],
    }
    best = [line for line, group in zip(chart.lines, chart.groups, strict=True) if group == 0]
    spoken = f"{len(chart.lines)} lines; {chart.names[0]}: {', '.join(best[:MOST_ROWS])}"
    return _figure(chart.title, chart.unit, data, spoken=spoken, values="", kind="broad")


def _share(value: float | None, axis: ParallelAxis) -> float | None:
    """A value as a share of its axis, which reaches over all values and ticks."""
    if value is None or not math.isfinite(value):
        return None
    known = [one for one in axis.values if one is not None and math.isfinite(one)]
    known += [one for one, _ in axis.ticks]
    low, high = min(known), max(known)
    return _rounded((value - low) / (high - low), 6) if high > low else 0.5


def _is_known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _finite(value: float | None) -> float | None:
    return None if value is None else _rounded(value, 6)


def _shown(value: float | None, *, percent: bool) -> str:
    if value is None or not math.isfinite(value):
        return ""
    return f"{100 * value:.1f} %" if percent else f"{value:.4f}"


def _figure(
    title: str, unit: str, data: Mapping[str, Any], *, spoken: str, values: str, kind: str = ""
) -> str:
    """A figure with its caption; screen readers read `spoken` behind title and unit."""
    shown = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    label = ": ".join(part for part in (title, unit, spoken) if part)
    details = f"<details><summary>Values</summary>{values}</details>" if values else ""
    return (
        f'<figure class="chart {kind}" data-chart="{escape(shown)}">'
        f"<figcaption>{escape(title)} <small>{escape(unit)}</small></figcaption>"
        f'<div class="plot" role="img" aria-label="{escape(label)}"></div>{details}</figure>'
    )


def _name(text: str) -> str:
    """A text as the plotting library shows it: it reads tags and entities, so both are escaped."""
    cut = text if len(text) <= NAME_CHARS else f"{text[: NAME_CHARS - 1]}…"
    return escape(cut, quote=False)


def _rounded(value: float, digits: int) -> float | None:
    """A number short enough for a page; None, which leaves a gap, where it is not finite."""
    if not math.isfinite(value):
        return None
    short_value = float(f"{value:.{digits}g}")
    return int(short_value) if short_value.is_integer() and abs(short_value) < 1e15 else short_value


def _is_shown(value: float, *, logarithmic: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not logarithmic)


def _drawable(line: Series, *, logarithmic: bool) -> bool:
    return any(_is_shown(value, logarithmic=logarithmic) for value in line.y)


def _thinned(line: Series, most: int, *, logarithmic: bool) -> Series:
    """At most about `most` points: the lowest and the highest of each stretch, so that peaks stay.

    A stretch that holds a value which is not finite keeps one, as a gap.
    """
    stretch = math.ceil(len(line.y) / max(most // 2, 1))
    if stretch <= 2:
        return line
    kept: list[int] = []
    for start in range(0, len(line.y), stretch):
        part = range(start, min(start + stretch, len(line.y)))
        shown = [i for i in part if _is_shown(line.y[i], logarithmic=logarithmic)]
        ends = (
            {min(shown, key=line.y.__getitem__), max(shown, key=line.y.__getitem__)}
            if shown
            else set()
        )
        gaps = [i for i in part if i not in shown][:1]
        kept += sorted({*ends, *gaps})
    return Series(
        name=line.name,
        x={axis: [values[i] for i in kept] for axis, values in line.x.items()},
        y=[line.y[i] for i in kept],
        markers=line.markers,
        colour=line.colour,
        dashed=line.dashed,
        joined=line.joined,
    )


def _spoken(line: Series) -> str:
    finite = [value for value in line.y if math.isfinite(value)]
    named = f"{line.name} " if line.name else ""
    return (
        f"{named}from {finite[0]:.4g} to {finite[-1]:.4g}, "
        f"lowest {min(finite):.4g}, highest {max(finite):.4g}"
    )


def _sampled(line: Series, axis: str) -> Iterable[tuple[str, str, str]]:
    """A dozen points of a line, the first and the last among them."""
    last = len(line.y) - 1
    picked = sorted({round(i * last / (MOST_ROWS - 1)) for i in range(MOST_ROWS)})
    for i in picked:
        yield line.name or "", f"{line.x[axis][i]:,.6g}", f"{line.y[i]:.5g}"


def _bars_from_left(value: float, edges: Sequence[float]) -> float:
    """Where a value is drawn, in widths of a bar from the left end; beyond the edges, at the end."""
    if value <= edges[0]:
        return 0.0
    for index, (low, high) in enumerate(itertools.pairwise(edges)):
        if value <= high:
            return index + (value - low) / (high - low)
    return float(len(edges) - 1)


def _ticks(edges: Sequence[float]) -> list[tuple[float, float]]:
    """(widths of a bar from the left end, value): the ends, and decades or quarters between them."""
    low, high = edges[0], edges[-1]
    inner: list[float] = (
        [edge for edge in edges[1:-1] if edge >= 1 and _is_decade(edge)]
        if high > 1
        else [low + (high - low) * part / 4 for part in (1, 2, 3)]
    )
    return [(_bars_from_left(value, edges), value) for value in (low, *inner, high)]


def _is_decade(value: float) -> bool:
    return abs(math.log10(value) - round(math.log10(value))) < 1e-9
