"""The report's charts and meters, as its sections ask the kit of pages for them."""

from __future__ import annotations

from collections.abc import Sequence

import pages.charts as kit
from pages.numbers import short as number
from pages.tables import meter
from refinery.report.data import Histogram

__all__ = ["curve", "histogram", "meter", "number"]


def histogram(data: Histogram, title: str) -> str:
    """Bars between edges; dashed lines at thresholds."""
    return kit.histogram(
        kit.Histogram(
            title=title, unit=data.unit, edges=data.edges, counts=data.counts, marks=data.marks
        )
    )


def curve(points: Sequence[tuple[float, float]], threshold: float, title: str) -> str:
    """The chance of being compared over similarity, with a dashed line at the threshold."""
    return kit.line_chart(
        kit.LineChart(
            title=title,
            unit="chance of being compared, by Jaccard similarity",
            series=[
                kit.Series(
                    name="",
                    x={"Jaccard similarity": [x for x, _ in points]},
                    y=[y for _, y in points],
                )
            ],
            marks=(threshold,),
            percent=True,
        )
    )
