"""The coordinate check as an offline page: a chart for each axis and parametrisation, and the slopes."""

from __future__ import annotations

from collections.abc import Sequence

from pages.charts import LineChart, Series, line_chart
from pages.frame import Page, PageSection
from pages.tables import escaped, facts, table
from train.transfer.coordinates import Coordinates, Movement

NAMES = {"width": "muP", "depth": "CompleteP"}


def transfer_page(title: str, checks: Sequence[Coordinates]) -> str:
    """The page as HTML."""
    sections = [
        PageSection(key=one.config.axis, title=f"Over the {one.config.axis}", body=_body(one))
        for one in checks
    ]
    head = facts({f"over the {one.config.axis}": verdict(one) for one in checks})
    return Page(title=title, kind="coordinate check", head=head, sections=sections).render()


def verdict(check: Coordinates) -> str:
    """Pass or fail, with the layers that fail."""
    if not check.faults:
        return f"pass: {NAMES[check.config.axis]} keeps the movement of all {len(check.scaled)} activations"
    named = ", ".join(f"{one.layer} ({one.slope:+.2f})" for one in check.faults)
    return f"FAIL: the movement depends on the {check.config.axis} in {named}"


def _body(check: Coordinates) -> str:
    charts = [
        _chart(f"{name}: movement after {check.config.steps} steps", check, movements)
        for name, movements in (
            (NAMES[check.config.axis], check.scaled),
            ("standard", check.standard),
        )
    ]
    rows = [
        escaped(
            (scaled.layer, f"{scaled.slope:+.2f}", f"{plain.slope:+.2f}",
             "pass" if scaled.transfers else "FAIL")
        )
        for scaled, plain in zip(check.scaled, check.standard, strict=True)
    ]  # fmt: skip
    head = ("layer", f"slope with {NAMES[check.config.axis]}", "slope without", "verdict")
    return f'<div class="charts">{"".join(charts)}</div>' + table("Slopes", head, rows)


def _chart(title: str, check: Coordinates, movements: Sequence[Movement]) -> str:
    axis = {f"times the base {check.config.axis}": list(check.config.factors)}
    lines = [Series(name=one.layer, x=axis, y=list(one.sizes), markers=True) for one in movements]
    return line_chart(LineChart(title=title, series=lines, logarithmic=True))
