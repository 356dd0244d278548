"""The page of a search: what was found, history, importance, slices, parallel coordinates, every trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import accumulate
from pathlib import Path

from pages.charts import (
    Dots,
    Intervals,
    LineChart,
    Parallel,
    ParallelAxis,
    Series,
    interval_chart,
    line_chart,
    parallel_chart,
)
from pages.frame import Page, PageSection
from pages.tables import facts, table
from train.studies.found_search import FoundSearch, Trial, in_words
from train.studies.page import PAGE_NAME, head_of
from train.studies.page import sections_of as sections_of_study
from train.studies.run_tables import curves, large, rerun_command, run_link, shown
from train.studies.runs import RUNS_NAME
from train.studies.search_settings import Space
from train.studies.spaces import choice_label

_MOST_CURVES = 8
_GROUPS = ("best tenth", "better half", "others")


def write_search_page(found: FoundSearch) -> None:
    """Write `study.html` into the folder of the search; the caller holds it."""
    target = found.plan.folder / PAGE_NAME
    target.write_text(render_search(found), encoding="utf-8")


def render_search(found: FoundSearch) -> str:
    """The HTML of a search."""
    spent = sum(one.tokens for one in found.trials)
    saved = sum(one.restarted_tokens for one in found.trials) - spent
    numbers = {
        "trials": f"{len(found.trials)}",
        "to the end": f"{sum(one.state == 'done' for one in found.trials)}",
        "given up": f"{sum(one.state == 'given up' for one in found.trials)}",
        "failed": f"{sum(one.state == 'failed' for one in found.trials)}",
        "tokens read": large(spent),
        "not read twice": large(saved),
    }
    sections = [
        PageSection(key="confirmation", title="With other seeds", body=_confirmation(found)),
        PageSection(key="history", title="History", body=_history(found)),
        PageSection(key="importance", title="Importance", body=_importance(found)),
        PageSection(key="slices", title="Slices", body=_slices(found)),
        PageSection(key="parallel", title="All settings", body=_parallel(found)),
        PageSection(
            key="curves", title="Curves of the trials that went farthest", body=_curves(found)
        ),
        PageSection(key="trials", title="Trials", body=_trials(found)),
    ]
    return Page(
        title=found.plan.study.question,
        kind="search",
        head=f'<p class="notice">{escape(found.sentence)}</p>{facts(numbers)}',
        sections=sections,
        footer="<p>The same numbers for machines: <code>study.json</code>.</p>",
    ).render()


def _confirmation(found: FoundSearch) -> str:
    study = found.confirmation
    if study is None:
        return f"<p>{escape(found.remark)}</p>" if found.remark else ""
    return head_of(study) + sections_of_study(study)[0].body


def _last(trial: Trial) -> float | None:
    """The measure at the last rung that a trial reached."""
    return trial.rungs[max(trial.rungs)] if trial.rungs else None


def _history(found: FoundSearch) -> str:
    ended = [(one.number, one.value) for one in found.trials if one.value is not None]
    waited = [(one.number, _last(one)) for one in found.trials if one.value is None]
    stopped = [(number, value) for number, value in waited if value is not None]
    pick = max if found.plan.measure.is_better_high else min
    series = [
        _points("to the end", ended, colour=0),
        _points("given up, at its last rung", stopped, colour=5),
    ]
    if ended:
        best = accumulate((value for _, value in ended), pick)
        numbers = [number for number, _ in ended]
        series.append(Series(name="best so far", x={"trial": numbers}, y=list(best), colour=1))
    return line_chart(
        LineChart(title="Measure by trial", unit=found.plan.measure.figure, series=[s for s in series if s.y])
    )  # fmt: skip


def _points(
    name: str, points: Sequence[tuple[float, float]], *, colour: int, axis: str = "trial"
) -> Series:
    return Series(
        name=name,
        x={axis: [x for x, _ in points]},
        y=[y for _, y in points],
        markers=True,
        colour=colour,
        joined=False,
    )


def _importance(found: FoundSearch) -> str:
    rows = [(escape(key), f"{share:.1%}") for key, share in found.importance.items()]
    return table(
        "Share of each setting in the spread of the trials at their first rung (PED-ANOVA)",
        ("setting", "share"),
        rows,
    ) if rows else ""  # fmt: skip


def _slices(found: FoundSearch) -> str:
    """The measure over each setting; trials where most were, at their first rung."""
    charts = [_slice(found, key, space) for key, space in found.plan.config.space.items()]
    drawn = "".join(charts)
    return f'<div class="charts">{drawn}</div>' if drawn else ""


def _slice(found: FoundSearch, key: str, space: Space) -> str:
    trials = [one for one in found.trials if one.rungs and key in one.settings]
    values = [(one.settings[key], one.rungs[min(one.rungs)]) for one in trials]
    if not values:
        return ""
    unit = found.plan.measure.figure
    if space.choices is not None:
        grouped = [[y for x, y in values if x == choice] for choice in space.choices]
        known = [(one, of) for one, of in zip(space.choices, grouped, strict=True) if of]
        dots = Dots(
            name="mean, lowest and highest",
            values=[sum(of) / len(of) for _, of in known],
            lows=[min(of) for _, of in known],
            highs=[max(of) for _, of in known],
        )
        labels = [f"{choice_label(one)} ({len(of)})" for one, of in known]
        return interval_chart(Intervals(title=key, unit=unit, labels=labels, dots=[dots]))
    axis = f"log10 of {key}" if space.log else key
    points = [(math.log10(x) if space.log else float(x), y) for x, y in values]
    series = [_points("", points, colour=0, axis=axis)]
    return line_chart(LineChart(title=key, unit=unit, series=series))


def _parallel(found: FoundSearch) -> str:
    trials = [one for one in found.trials if one.rungs]
    sign = found.plan.sign
    order = sorted(trials, key=lambda one: sign * one.rungs[min(one.rungs)])
    rank = {one.number: position for position, one in enumerate(order)}
    groups = [_group(rank[one.number], len(trials)) for one in trials]
    axes = [_axis(key, space, trials) for key, space in found.plan.config.space.items()]
    measured = [one.rungs[min(one.rungs)] for one in trials]
    if measured:
        ends = sorted({min(measured), max(measured)})
        axes.append(
            ParallelAxis(
                name=found.plan.measure.figure,
                values=measured,
                ticks=[(end, f"{end:.4g}") for end in ends],
            )
        )
    return parallel_chart(
        Parallel(
            title="Each trial a line over all settings",
            unit="measured at the first rung",
            axes=axes,
            lines=[f"trial {one.number}" for one in trials],
            groups=groups,
            names=_GROUPS,
        )
    )


def _group(rank: int, count: int) -> int:
    if rank < max(1, count // 10):
        return 0
    return 1 if rank < count / 2 else 2


def _axis(key: str, space: Space, trials: Sequence[Trial]) -> ParallelAxis:
    settings = [one.settings.get(key) for one in trials]
    if space.choices is not None:
        choices = list(space.choices)
        return ParallelAxis(
            name=key,
            values=[float(choices.index(one)) if one in choices else None for one in settings],
            ticks=[(float(at), choice_label(one)) for at, one in enumerate(choices)],
        )
    assert space.low is not None
    assert space.high is not None

    def scaled(value: float) -> float:
        return math.log(value) if space.log else float(value)

    return ParallelAxis(
        name=key,
        values=[None if one is None else scaled(one) for one in settings],
        ticks=[(scaled(end), f"{end:g}") for end in (space.low, space.high)],
    )


def _curves(found: FoundSearch) -> str:
    plan = found.plan
    farthest = sorted(
        (one for one in found.trials if one.rungs),
        key=lambda one: (-len(one.rungs), plan.sign * one.rungs[max(one.rungs)]),
    )
    firsts = [
        plan.runs(one.number, one.settings, max(one.rungs))[0] for one in farthest[:_MOST_CURVES]
    ]
    return curves(firsts)


def _trials(found: FoundSearch) -> str:
    figure = found.plan.measure.figure
    rungs = (
        [f"rung {rung + 1}" for rung in range(found.plan.rungs)]
        if found.plan.rungs > 1
        else [figure]
    )
    head = ("trial", "state", "settings, and why it ended", *rungs, "tokens", "again")
    return table(
        "Trials",
        head,
        (_trial_row(found, one) for one in found.trials),
        words=3,
        pinned=True,
        ends_in_words=True,
    )


def _trial_row(found: FoundSearch, trial: Trial) -> tuple[str, ...]:
    plan = found.plan
    name = f"trial-{trial.number:04d}-seed-{plan.study.seeds[0]}"
    output = Path(plan.folder) / RUNS_NAME / name
    settings = "; ".join(f"{key}: {in_words(value)}" for key, value in trial.settings.items())
    why = f"; {trial.why}" if trial.why else ""
    label = run_link(f"{trial.number} ({trial.how})", output, plan.folder)
    return (
        label,
        escape(trial.state),
        f"<bdi>{escape(settings + why)}</bdi>",
        *(shown(trial.rungs.get(rung)) for rung in range(plan.rungs)),
        f"{trial.tokens:,}",
        f"<code>{escape(rerun_command(output))}</code>",
    )
