"""The page of a study of arms: the verdict first, then the table, what it cost, the curves, the runs."""

from __future__ import annotations

import math
from html import escape

from pages.charts import Dots, Intervals, interval_chart
from pages.frame import Page, PageSection
from pages.tables import escaped, facts, table
from schemas.plain_json import json_text
from train.studies.found import FoundStudy
from train.studies.run_tables import curves, failures, large, run_table, shown
from train.studies.verdicts import ArmRow

PAGE_NAME = "study.html"


def write_page(found: FoundStudy) -> None:
    """Write `study.html` into the folder of the study; the caller holds it."""
    target = found.plan.folder / PAGE_NAME
    target.write_text(render_study(found), encoding="utf-8")


def render_study(found: FoundStudy) -> str:
    """The HTML of a study."""
    return Page(
        title=found.plan.study.question,
        kind="study",
        head=head_of(found),
        sections=sections_of(found),
        footer="<p>The same numbers for machines: <code>study.json</code>.</p>",
    ).render()


def head_of(found: FoundStudy) -> str:
    """The verdict, and what it rests on."""
    table, plan = found.table, found.plan
    numbers = {
        "arms": f"{len(plan.arms)}",
        "seeds": f"{len(plan.study.seeds)}",
        "tokens of a run": large(plan.runs[0].sizes.tokens),
        "runs done": f"{sum(one.is_done for one in found.found.values())} of {len(plan.runs)}",
    }
    if math.isfinite(table.deviation):
        numbers["deviation of a run"] = shown(table.deviation, digits=3)
    return f'<p class="notice">{escape(table.sentence)}</p>{facts(numbers)}'


def sections_of(found: FoundStudy) -> list[PageSection]:
    """The parts of the page of a study of arms."""
    plan = found.plan
    first = plan.study.seeds[0]
    return [
        PageSection(key="table", title="Each arm beside the reference", body=_table(found)),
        PageSection(key="costs", title="Cost beside benefit", body=_costs(found)),
        PageSection(
            key="curves",
            title=f"Curves of seed {first}",
            body=curves([run for run in plan.runs if run.seed == first]),
        ),
        PageSection(key="failures", title="What failed", body=failures(found.found.values())),
        PageSection(
            key="runs",
            title="Runs",
            body=run_table(plan.runs, found.found, plan.folder, plan.measure.figure),
        ),
        PageSection(key="before", title="Known before the first run", body=_forecast(found)),
    ]


def _table(found: FoundStudy) -> str:
    rows, study = found.table.rows, found.plan.study
    others = [row for row in rows if row.difference is not None]
    figure, better = found.plan.measure.figure, found.plan.measure.is_better_high
    chart = interval_chart(
        Intervals(
            title=f"{figure}: arm minus {rows[0].arm}",
            unit=f"{'more' if better else 'less'} is better; {study.level:.0%} over seeds, variance of the whole table",
            labels=[row.arm for row in others],
            dots=[
                Dots(
                    name="over seeds",
                    values=[row.difference.value for row in others if row.difference],
                    lows=[row.difference.low for row in others if row.difference],
                    highs=[row.difference.high for row in others if row.difference],
                ),
                Dots(
                    name="over documents",
                    values=[None if row.documents is None else row.documents.value for row in others],
                    lows=[None if row.documents is None else row.documents.low for row in others],
                    highs=[None if row.documents is None else row.documents.high for row in others],
                ),
            ],
            zero=True,
        )
    )  # fmt: skip
    head = (
        "arm", "verdict", "mean", "difference", f"{study.level:.0%}", "finds", "p, adjusted", "over documents",
        "each seed", "changes and notes",
    )  # fmt: skip
    return chart + table(
        f"Arms, {rows[0].arm} the reference",
        head,
        (_row(found, row) for row in rows),
        words=2,
        pinned=True,
        ends_in_words=True,
    )


def _row(found: FoundStudy, row: ArmRow) -> tuple[str, ...]:
    changes = next(arm.changes for arm in found.plan.arms if arm.name == row.arm)
    words = [f"{key}: {json_text(value)}" for key, value in changes.items()]
    difference, documents = row.difference, row.documents
    by_seed = " ".join(f"{value:.4f}" for _, value in sorted(row.by_seed.items()))
    return escaped(
        (
            row.arm,
            row.verdict or "reference",
            shown(row.value),
            "" if difference is None else f"{difference.value:+.4f}",
            "" if difference is None else _span(difference.low, difference.high),
            shown(row.smallest, digits=3),
            shown(row.adjusted, digits=2),
            "" if documents is None else _span(documents.low, documents.high),
            by_seed,
            "; ".join([*words, *row.notes]),
        )
    )


def _span(low: float, high: float) -> str:
    return f"{low:+.4f} to {high:+.4f}" if math.isfinite(low) else "not known"


def _costs(found: FoundStudy) -> str:
    reference = found.table.rows[0]
    head = (
        "arm", "difference", "parameters", "tokens of a run", "operations of a run", "beside the reference", "tokens/s",
    )  # fmt: skip
    rows = [
        (
            row.arm,
            "" if row.difference is None else f"{row.difference.value:+.4f}",
            f"{row.sizes.parameters:,}",
            f"{row.sizes.tokens:,}",
            f"{row.sizes.flops:.3g}",
            f"{row.sizes.flops / reference.sizes.flops - 1:+.1%}",
            large(row.tokens_per_second),
        )
        for row in found.table.rows
    ]
    return table("What each arm costs, and what it gives", head, map(escaped, rows), pinned=True)


def _forecast(found: FoundStudy) -> str:
    told = found.forecast
    if told is None:
        return ""
    return "".join(f"<p>{escape(line)}</p>" for line in told.in_words().splitlines())
