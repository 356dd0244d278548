"""Scores over the checkpoints of runs, and whether their noise leaves a task any signal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pages.charts import LineChart, Series, line_chart
from train.comparison.results import BITS, EvaluatedTask, Evaluation
from train.comparison.words import is_share, title
from train.report.curves import STEP, TOKENS
from train.report.run_files import read_metrics
from train.statistics.signal import SignalToNoise, signal_to_noise

METRICS_NAME = "metrics.jsonl"
# What a run evaluates at its checkpoints may be a part of a task: it is told apart by its own name.
TASKS = "tasks"


@dataclass(frozen=True, kw_only=True)
class Point:
    """A figure at one step of a run."""

    step: int
    tokens: int
    value: float


def curves(models: Sequence[Evaluation]) -> str:
    """A chart for every task and figure that a run measured at two checkpoints or more."""
    found: dict[tuple[str, str], dict[str, list[Point]]] = {}
    for model in models:
        for name, figure, point in _points(model):
            found.setdefault((name, figure), {}).setdefault(model.name, []).append(point)
    charts = [
        line_chart(
            LineChart(
                title=f"{name}: {title(figure)}",
                unit="at each checkpoint",
                percent=is_share(figure),
                series=[
                    Series(
                        name=model,
                        x={STEP: [p.step for p in points], TOKENS: [p.tokens for p in points]},
                        y=[p.value for p in points],
                        markers=True,
                    )
                    for model, points in by_model.items()
                ],
            )
        )
        for (name, figure), by_model in found.items()
        if max(map(len, by_model.values())) > 1
    ]
    return f'<div class="charts">{"".join(charts)}</div>' if charts else ""


def signals(models: Sequence[Evaluation]) -> dict[str, SignalToNoise | None]:
    """Signal to noise of each task by its deciding figure, of runs that measured it at checkpoints."""
    scores: dict[str, dict[str, list[float]]] = {}
    decides = {name: task.main_figure for model in models for name, task in model.tasks.items()}
    for model in models:
        for name, figure, point in _points(model):
            if decides.get(name) == figure:
                scores.setdefault(name, {}).setdefault(str(model.path), []).append(point.value)
    return {name: signal_to_noise(by_run) for name, by_run in scores.items()}


def _points(model: Evaluation) -> Iterator[tuple[str, str, Point]]:
    """(task, figure, point) of every record of the run, in the order of its steps."""
    path = model.path.parent / METRICS_NAME
    if not path.is_file():
        return
    for record in read_metrics(path):
        heldout = record.get("heldout") or {}
        if heldout.get(BITS) is not None:
            yield "held out", BITS, _point(record, heldout[BITS])
        for name, metrics in (record.get(TASKS) or {}).items():
            for figure in _drawn(name, metrics, model.tasks):
                if metrics[figure] is not None:
                    yield name, figure, _point(record, metrics[figure])


def _drawn(
    name: str, metrics: Mapping[str, Any], tasks: Mapping[str, EvaluatedTask]
) -> Sequence[str]:
    """The figures that are drawn: the deciding one, and bits per byte."""
    decides = tasks[name].main_figure if name in tasks else next(iter(metrics), BITS)
    return [figure for figure in dict.fromkeys((decides, BITS)) if figure in metrics]


def _point(record: Mapping[str, Any], value: float) -> Point:
    return Point(step=int(record["step"]), tokens=int(record["tokens"]), value=float(value))
