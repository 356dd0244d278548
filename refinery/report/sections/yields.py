"""Yield against quality: the tokens that are left after each stage, and what a model learnt from them where that was measured."""

from __future__ import annotations

from html import escape

import pages.charts as kit
from refinery.ablation.yields import ArmYield
from refinery.report import charts
from refinery.report.data import ReportData
from refinery.report.html import table

# Fates that each stage takes away; what is left is its yield.
_TAKEN = {
    "extract": ("rejected",),
    "clean": ("excluded", "dropped"),
    "dedup": ("duplicate",),
    "decontaminate": ("contaminated",),
}
_WORDS = {
    "extract": "text was extracted",
    "clean": "verdicts of the clean stage",
    "dedup": "dedup",
    "decontaminate": "decontamination",
}


def yields_section(data: ReportData) -> str:
    """The table of stages, and a figure of tokens against the measure where an ablation has found it."""
    rows, left = [], data.total_of("tokens", "documents")
    whole = max(1, left)
    found = {stage: one for one in data.yields.arms for stage in one.kept_after}
    for stage, fates in _TAKEN.items():
        left -= sum(data.total_of("tokens", fate) for fate in fates)
        rows.append(
            (
                escape(_WORDS[stage]),
                charts.meter(left, whole, f"left after {stage}"),
                charts.number(left),
                f"{left / whole:.1%}",
                *_measured(found.get(stage)),
            )
        )
    figure = escape(data.yields.figure or "held-out measure")
    head = ("left after", "", "tokens", "share", "arm", figure, "minus the whole run", "interval")
    return (
        _figure(data)
        + table("Tokens that are left, and what a model learns from them", head, rows, words=2)
        + ("" if data.yields.figure else _HOW)
    )


_HOW = (
    "<p>No measure is known yet. <code>refinery ablate</code> makes the arms, <code>python -m train study</code> "
    "trains on them, and <code>refinery report</code> writes this page again with what they found.</p>"
)


def _measured(arm: ArmYield | None) -> tuple[str, str, str, str]:
    if arm is None:
        return ("", "", "", "")
    value = "" if arm.measure is None else f"{arm.measure:.4f}"
    middle, low, high = arm.difference or (None, None, None)
    return (
        escape(arm.arm),
        value,
        "" if middle is None else f"{middle:+.4f}",
        "" if low is None or high is None else f"{low:+.4f} to {high:+.4f}",
    )


def _figure(data: ReportData) -> str:
    known = [one for one in data.yields.arms if one.measure is not None]
    if len(known) < 2:
        return ""
    stages = sorted((one for one in known if one.kept_after), key=lambda one: one.tokens)
    others = [one for one in known if not one.kept_after]
    lines = [
        ("the run, stage by stage", stages, True),
        *((one.arm, [one], False) for one in others),
    ]
    return kit.line_chart(
        kit.LineChart(
            title="Yield against quality",
            unit=f"{data.yields.figure}, by tokens kept",
            series=[
                kit.Series(
                    name=name,
                    x={"tokens kept": [float(one.tokens) for one in arms]},
                    y=[one.measure if one.measure is not None else float("nan") for one in arms],
                    markers=True,
                    joined=joined,
                )
                for name, arms, joined in lines
                if arms
            ],
        )
    )
