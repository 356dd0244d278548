"""The curves of one run, or of several in common charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from pages.charts import LineChart, Series, line_chart
from train.report.run_files import RunFiles

# Names of the axes that the page lets people choose between.
STEP, TOKENS, HOURS = "step", "tokens", "hours in steps"
CONTROLS = (
    '<form class="controls" hidden><label>x axis <select name="axis">'
    + "".join(f'<option value="{axis}">{axis}</option>' for axis in (STEP, TOKENS, HOURS))
    + '</select></label><label>smoothing <input name="smoothing" type="range" min="0" max="0.99" '
    'step="0.01" value="0"><output>0.00</output></label>'
    "<span>drag to zoom, double click to see all, click a name to hide its line</span></form>"
)
Record = dict[str, Any]
Value = Callable[[Record], float | None]


def curve_section(runs: Sequence[RunFiles]) -> str:
    """The controls and the charts: of one run by source, of several with a colour for each."""
    charts = _charts_of_one(runs[0]) if len(runs) == 1 else _charts_of_many(runs)
    drawn = "".join(map(line_chart, charts))
    return f'{CONTROLS}<div class="charts">{drawn}</div>' if drawn else ""


def loss_section(runs: Sequence[RunFiles]) -> str:
    """The controls, and the losses and rates of several runs in common charts."""
    chosen = ("Training loss", "Held-out loss", "Learning rate")
    drawn = "".join(line_chart(one) for one in _charts_of_many(runs) if one.title in chosen)
    return f'{CONTROLS}<div class="charts">{drawn}</div>' if drawn else ""


def _charts_of_one(run: RunFiles) -> list[LineChart]:
    sources = sorted({name for record in run.records for name in record["loss_by_source"]})
    loss = [_series(run, _field("loss"), name="training")]
    if run.heldout:
        loss.append(_series(run, _heldout_loss, name="held out", markers=True))
    losses = [_series(run, _of_source("loss_by_source", name), name=name) for name in sources]
    tokens = [_series(run, _of_source("tokens_by_source", name), name=name) for name in sources]
    common = _common_charts([run])
    return [
        LineChart(title="Loss", unit="nats per label", series=loss),
        LineChart(title="Loss by source", unit="nats per label", series=losses),
        *common,
        LineChart(title="Tokens by source", unit="in each step", series=tokens),
    ]


def _charts_of_many(runs: Sequence[RunFiles]) -> list[LineChart]:
    heldout = [
        _series(run, _heldout_loss, name=run.name, markers=True, colour=number)
        for number, run in enumerate(runs)
        if run.heldout
    ]
    return [
        LineChart(title="Training loss", unit="nats per label", series=_each(runs, _field("loss"))),
        LineChart(title="Held-out loss", unit="nats per label", series=heldout),
        *_common_charts(runs),
    ]


def _common_charts(runs: Sequence[RunFiles]) -> list[LineChart]:
    """The charts that one run has, and several have in common."""

    def chart(title: str, key: str, unit: str, **more: Any) -> LineChart:
        return LineChart(title=title, unit=unit, series=_each(runs, _field(key)), **more)

    return [
        chart("Gradient norm", "grad_norm", "before clipping", logarithmic=True),
        chart("Learning rate", "lr", "of the schedule"),
        chart("Batch", "batch", "rows"),
        chart("Speed", "tokens_per_second", "tokens per second"),
        chart("Model FLOPs utilisation", "mfu", "share of the hardware's peak", percent=True),
        chart("Memory", "memory_bytes", "peak bytes of the first rank"),
        chart("Waiting for data", "wait_share", "share of the step", percent=True),
        chart("Loss scale", "loss_scale", "of fp16", logarithmic=True),
    ]


def _each(runs: Sequence[RunFiles], value: Value) -> list[Series]:
    names = [run.name for run in runs] if len(runs) > 1 else [""]
    series = [
        _series(run, value, name=name, colour=number)
        for number, (run, name) in enumerate(zip(runs, names, strict=True))
    ]
    return [line for line in series if line.y]


def _series(
    run: RunFiles, value: Value, *, name: str, markers: bool = False, colour: int | None = None
) -> Series:
    hours = accumulate(record["seconds"] / 3600 for record in run.records)
    points = [
        (record["step"], record["tokens"], hour, found)
        for record, hour in zip(run.records, hours, strict=True)
        if (found := value(record)) is not None
    ]
    steps, tokens, times, values = (
        (list(column) for column in zip(*points, strict=True)) if points else ([], [], [], [])
    )
    return Series(
        name=name,
        x={STEP: steps, TOKENS: tokens, HOURS: times},
        y=values,
        markers=markers,
        colour=colour,
    )


def _field(key: str) -> Value:
    return lambda record: record.get(key)


def _of_source(key: str, name: str) -> Value:
    return lambda record: record.get(key, {}).get(name)


def _heldout_loss(record: Record) -> float | None:
    return record["heldout"]["loss"] if "heldout" in record else None
