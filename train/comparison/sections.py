"""The parts of the page of evaluations: scores, phenomena, clean items, answers to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from pages.charts import Dots, Intervals, interval_chart
from pages.tables import escaped, table
from train.comparison.compare import CONTROL, ONE_SEED, Recipe, Row
from train.comparison.examples import example_article, won_and_lost
from train.comparison.results import BITS, EvaluatedTask, Evaluation
from train.comparison.words import ABOUT, HEADS, amount, cells, interval_of, is_share, notes, title
from train.evaluation.table import heldout_interval

CHANCE = "chance"
# Phenomena of a task that are drawn; BLiMP has 13, MMLU 57 subjects.
MOST_GROUPS = 60


def verdicts(rows: Sequence[Row]) -> str:
    """The table of a comparison, its chart and the notes on its rows."""
    parts = []
    for other in dict.fromkeys(row.other for row in rows):
        own = [row for row in rows if row.other == other]
        first = own[0].first
        heads = (*HEADS[:3], first, other, *HEADS[5:])
        caption = f"{other} beside {first}"
        parts.append(
            table(caption, heads, (escaped(cells(row)) for row in own), words=3, pinned=True)
        )
        if any(ONE_SEED in row.warnings for row in own):
            parts.append(f"<p>{escape(ONE_SEED)}.</p>")
        said = [
            f"<li>{escape(row.task)}, {escape(title(row.figure))}: {escape(note)}</li>"
            for row in own
            for note in notes(row)
            if note != ONE_SEED
        ]
        if said:
            parts.append(f'<ul class="notes">{"".join(said)}</ul>')
        shares = [row for row in own if is_share(row.figure)]
        parts.append(
            interval_chart(
                Intervals(
                    title=f"Difference to {first}",
                    unit="points, right of zero the other is better",
                    labels=[row.task for row in shares],
                    dots=[
                        Dots(
                            name=other,
                            values=[row.difference.value for row in shares],
                            lows=[row.difference.low for row in shares],
                            highs=[row.difference.high for row in shares],
                        )
                    ],
                    zero=True,
                    percent=True,
                )
            )
        )
    return f"<p>{escape(ABOUT)}</p>{''.join(parts)}" if parts else ""


def scores(models: Sequence[Evaluation]) -> str:
    """Every task's deciding figure with its interval, against chance and the control."""
    names = list(dict.fromkeys(name for model in models for name in model.tasks))
    chart = interval_chart(_score_chart(models, names))
    rows = [row for name in names for row in _score_rows(models, name)]
    head = ("task", "model", "figure", "value", "95 %", "chance", CONTROL, "items", "clusters")
    warned = dict.fromkeys(
        f"{task.name}, {model.name}: {text}"
        for model in models
        for task in model.tasks.values()
        for text in _warnings(task)
    )
    listed = "".join(f"<li>{escape(text)}</li>" for text in warned)
    below = f'<ul class="notes">{listed}</ul>' if listed else ""
    if not rows:
        return ""
    caption = "All figures; the first of each task decides"
    return f"{chart}{table(caption, head, map(escaped, rows), words=3, pinned=True)}{below}"


def _warnings(task: EvaluatedTask) -> Iterator[str]:
    yield from task.summary.get("warnings", ())
    for figure, metric in task.summary["metrics"].items():
        if figure == task.main_figure and metric.get("warning"):
            yield str(metric["warning"])


def _score_chart(models: Sequence[Evaluation], names: Sequence[str]) -> Intervals:
    shown = [name for name in names if is_share(_any(models, name).main_figure)]

    def ends(model: Evaluation, key: str) -> list[float | None]:
        return [
            model.tasks[name].summary["metrics"][model.tasks[name].main_figure].get(key)
            if name in model.tasks
            else None
            for name in shown
        ]

    marks: dict[str, list[float | None]] = {
        CHANCE: [_any(models, name).summary.get("chance") for name in shown],
        CONTROL: [_control_value(models, name) for name in shown],
    }
    return Intervals(
        title="Scores",
        unit="95 % intervals",
        labels=shown,
        dots=[
            Dots(
                name=model.name,
                values=ends(model, "value"),
                lows=ends(model, "low"),
                highs=ends(model, "high"),
            )
            for model in models
        ],
        marks={
            name: values for name, values in marks.items() if any(v is not None for v in values)
        },
        percent=True,
    )


def _any(models: Sequence[Evaluation], name: str) -> EvaluatedTask:
    return next(model.tasks[name] for model in models if name in model.tasks)


def _control(models: Sequence[Evaluation], name: str) -> EvaluatedTask | None:
    return next((model.control[name] for model in models if name in model.control), None)


def _control_value(models: Sequence[Evaluation], name: str) -> float | None:
    task = _control(models, name)
    return None if task is None else task.summary["metrics"][task.main_figure]["value"]


def _score_rows(models: Sequence[Evaluation], name: str) -> Iterator[tuple[str, ...]]:
    control = _control(models, name)
    for model in models:
        task = model.tasks.get(name)
        if task is None:
            continue
        metrics: dict[str, Any] = task.summary["metrics"]
        decides = task.main_figure
        for figure in sorted(metrics, key=lambda one: one != decides):
            metric = metrics[figure]
            against = {} if control is None else control.summary["metrics"].get(figure, {})
            is_accuracy = figure.startswith("acc") and figure != "acc_equal_length"
            yield (
                name,
                model.name,
                title(figure),
                amount(metric.get("value"), figure),
                interval_of(metric, figure),
                amount(task.summary.get("chance"), figure) if is_accuracy else "",
                amount(against.get("value"), figure),
                f"{task.summary['items']:,}",
                str(metric.get("clusters", "")),
            )


def phenomena(models: Sequence[Evaluation]) -> str:
    """Every group of every task that has groups: a chart and, within it, a table."""
    names = list(dict.fromkeys(name for model in models for name in model.tasks))
    charts = []
    for name in names:
        grouped = [
            model
            for model in models
            if name in model.tasks and model.tasks[name].summary.get("groups")
        ]
        if not grouped:
            continue
        by_model = [grouped_model.tasks[name].summary["groups"] for grouped_model in grouped]
        labels = list(dict.fromkeys(group for groups in by_model for group in groups))[:MOST_GROUPS]
        control = _control(models, name)
        counted = {} if control is None else control.summary.get("groups", {})
        charts.append(
            interval_chart(
                Intervals(
                    title=name,
                    unit="right, 95 % intervals; groups of few clusters have none or long ones",
                    labels=labels,
                    dots=[
                        _group_dots(model.name, groups, labels)
                        for model, groups in zip(grouped, by_model, strict=True)
                    ],
                    marks=_group_marks(_any(models, name), counted, labels),
                    percent=True,
                )
            )
        )
    return "".join(charts)


def _group_dots(name: str, groups: Mapping[str, Any], labels: Sequence[str]) -> Dots:
    def ends(key: str) -> list[float | None]:
        return [groups.get(label, {}).get("acc", {}).get(key) for label in labels]

    # The interval of a share lies between 0 and 1, whatever a few clusters say.
    return Dots(
        name=name,
        values=ends("value"),
        lows=[None if low is None else max(0.0, low) for low in ends("low")],
        highs=[None if high is None else min(1.0, high) for high in ends("high")],
    )


def _group_marks(
    task: EvaluatedTask, counted: Mapping[str, Any], labels: Sequence[str]
) -> dict[str, list[float | None]]:
    marks: dict[str, list[float | None]] = {}
    if task.summary["kind"] == "minimal_pairs":
        marks[CHANCE] = [0.5] * len(labels)
    if counted:
        marks[CONTROL] = [counted.get(label, {}).get("acc", {}).get("value") for label in labels]
    return marks


def clean_subsets(models: Sequence[Evaluation]) -> str:
    """The whole of each task beside the items that no training document holds."""
    rows = []
    for model in models:
        for name, task in model.tasks.items():
            clean = task.summary.get("clean")
            if not clean:
                continue
            figure = task.main_figure
            whole, part = task.summary["metrics"][figure], clean.get("metrics", {}).get(figure, {})
            rows.append(
                (
                    name, model.name, title(figure), amount(whole["value"], figure),
                    interval_of(whole, figure), amount(part.get("value"), figure),
                    interval_of(part, figure), f"{task.summary['items']:,}", f"{clean['items']:,}",
                )
            )  # fmt: skip
    head = ("task", "model", "figure", "whole", "95 %", "clean", "95 %", "items", "clean items")
    caption = "All items, and those that no training document holds"
    return table(caption, head, map(escaped, rows), words=3, pinned=True) if rows else ""


def answers(recipes: Sequence[Recipe]) -> str:
    """Items that the second recipe wins and loses against the first, of one seed of each."""
    if len(recipes) < 2:
        return ""
    first, other = recipes[0].seeds[0], recipes[1].seeds[0]
    parts = []
    for name in [name for name in first.tasks if name in other.tasks]:
        won, lost, num_won, num_lost = won_and_lost(first.tasks[name], other.tasks[name])
        for what, examples, count in (("won", won, num_won), ("lost", lost, num_lost)):
            if examples:
                shown = "".join(example_article(one, (first.name, other.name)) for one in examples)
                parts.append(
                    f"<details><summary>{escape(name)}: {count:,} {what} by {escape(other.name)}"
                    f'</summary><div class="samples">{shown}</div></details>'
                )
    return "".join(parts)


def heldout(models: Sequence[Evaluation]) -> str:
    """Held-out loss and bits per byte of each model."""
    rows = [
        (
            model.name, source, f"{part['loss']:.4f}",
            amount(part.get("bits_per_byte"), BITS), heldout_interval(part), f"{part['labels']:,}",
            f"{part['documents']:,}" if "documents" in part else "",
        )
        for model in models
        if model.heldout is not None
        for source, part in [*sorted(model.heldout["sources"].items()), ("all", model.heldout)]
    ]  # fmt: skip
    head = ("model", "source", "loss", "bits per byte", "95 %", "labels", "documents")
    return table("Held-out split", head, map(escaped, rows), words=2) if rows else ""


def copying(models: Sequence[Evaluation]) -> str:
    """What a random string costs where it stands first and where it stands again, by model."""
    rows = [
        (
            model.name, f"{model.copy['first']['value']:.3f}", f"{model.copy['second']['value']:.3f}",
            f"{saved['value']:.3f}", f"{saved['low']:.3f} to {saved['high']:.3f}",
        )
        for model in models
        if model.copy is not None and (saved := model.copy["saved"])
    ]  # fmt: skip
    head = ("model", "first", "again", "saved", "95 %")
    caption = "Nats per token of random strings"
    return table(caption, head, map(escaped, rows), words=1) if rows else ""
