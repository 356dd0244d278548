"""The page of a study of fine-tuning: the curve by number of labels above the majority line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pages.charts import Dots, Intervals, LineChart, Series, interval_chart, line_chart
from pages.frame import Page, PageSection
from pages.tables import escaped, facts, table
from train.finetune.verdict import LabelsRow

PAGE_NAME = "finetune.html"


def write_page(folder: Path, rows: Sequence[LabelsRow], result: Mapping[str, Any]) -> Path:
    """Write the page into the folder of the study."""
    target = folder / PAGE_NAME
    sections = [
        PageSection(key="labels", title="By number of labels", body=_curve(rows, result)),
        PageSection(key="rates", title="Rates that were tried", body=_tried(result)),
    ]
    page = Page(
        title=folder.resolve().name,
        kind="fine-tuning",
        head=facts(
            {"rate": f"{result['rate']:g}", "majority": f"{100 * result['majority']:.1f} %"}
        ),
        sections=sections,
        footer="<p>The same numbers for machines: <code>finetune.json</code>.</p>",
    )
    target.write_text(page.render(), encoding="utf-8")
    return target


def _curve(rows: Sequence[LabelsRow], result: Mapping[str, Any]) -> str:
    line = result["majority"]
    labels = [f"{row.labels:,} labels" for row in rows]
    chart = interval_chart(
        Intervals(
            title="Accuracy on test",
            unit="mean over seeds, 95 % by Student's t",
            labels=labels,
            dots=[
                Dots(
                    name="fine-tuned",
                    values=[row.accuracy.value for row in rows],
                    lows=[row.accuracy.low for row in rows],
                    highs=[row.accuracy.high for row in rows],
                )
            ],
            marks={
                "majority": [line] * len(rows),
                "bag of words": [row.bag_of_words for row in rows],
            },
            percent=True,
        )
    )
    curve = line_chart(
        LineChart(
            title="Accuracy by labels",
            unit="each seed",
            percent=True,
            series=[
                Series(
                    name=f"seed {number + 1}",
                    x={"labels": [row.labels for row in rows]},
                    y=[row.by_seed[number] for row in rows],
                    markers=True,
                )
                for number in range(len(rows[0].by_seed))
            ],
        )
    )
    head = (
        "labels", "accuracy", "95 %", "seeds", "collapsed", "bag of words", "above the majority line",
        "above the bag of words",
    )  # fmt: skip
    cells = [
        (
            f"{row.labels:,}",
            f"{100 * row.accuracy.value:.1f} %",
            f"{100 * row.accuracy.low:.1f} to {100 * row.accuracy.high:.1f} %",
            f"{len(row.by_seed)}",
            f"{row.collapsed}",
            f"{100 * row.bag_of_words:.1f} %",
            "yes" if row.accuracy.low > line else "not told apart",
            _beside(row),
        )
        for row in rows
    ]
    return chart + curve + table("Test, by number of labels", head, map(escaped, cells), words=0)


def _beside(row: LabelsRow) -> str:
    """Whether the model is better than the bag of words, over its seeds."""
    if row.above_bag.low > 0:
        return "yes"
    return "no, below it" if row.above_bag.high < 0 else "not told apart"


def _tried(result: Mapping[str, Any]) -> str:
    rows = [
        (f"{one['rate']:g}", f"{one['labels']:,}", str(one["seed"]), f"{100 * one['dev']:.1f} %")
        for one in result["tried"]
    ]
    head = ("rate", "labels", "seed", "accuracy on dev")
    return table("Each rate on dev", head, map(escaped, rows), words=0) if rows else ""
