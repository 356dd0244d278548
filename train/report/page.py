"""The report of a run: one HTML page that needs no network, no script and no other file."""

from __future__ import annotations

import html
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from schemas.errors import ContractError
from train.report.curves import COLOURS, LIGHT_COLOURS, Chart, Points, draw
from train.report.events import EVENTS_NAME, read_events

REPORT_NAME = "report.html"
Record = dict[str, Any]

_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#888}
body{font:15px/1.5 system-ui,"Noto Sans CJK SC",sans-serif;max-width:76rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.5rem;margin:0 0 .2rem}h2{font-size:1.1rem;margin:2rem 0 .6rem}
.soft{color:var(--soft)}.figures{display:flex;flex-wrap:wrap;gap:.6rem 2.2rem;margin:1.2rem 0}
.figures b{display:block;font-size:1.35rem;font-variant-numeric:tabular-nums}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));gap:1rem}
figure{margin:0;border:1px solid var(--line);border-radius:8px;padding:.6rem}svg{width:100%;height:auto;display:block}
svg polyline{fill:none;stroke-width:1.4;stroke-linejoin:round}svg line{stroke:var(--line)}
svg text{font-size:11px;fill:currentColor;opacity:.75}svg .title{font-size:13px;font-weight:600;opacity:1}svg .y{text-anchor:end}
.legend{margin:.2rem 0 0;display:flex;flex-wrap:wrap;gap:.1rem 1rem;font-size:13px}
.legend i{display:inline-block;width:.9rem;height:.25rem;margin-right:.35rem;vertical-align:middle}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.2rem .9rem .2rem 0;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}
td:first-child,th:first-child,.words td,.words th{text-align:left}.words td:last-child{overflow-wrap:anywhere;min-width:10rem}
@media(max-width:36rem){svg text{font-size:17px}svg .title{font-size:20px}.figures{gap:.6rem 1.4rem}.figures b{font-size:1.15rem}}
pre{overflow-x:auto;font-size:12.5px;border:1px solid var(--line);border-radius:8px;padding:.8rem}
"""


def _colours() -> str:
    """Style variables for the colours of lines on light and on dark screens."""
    sets = [
        "".join(f"--line-{number}:{colour};" for number, colour in enumerate(colours))
        for colours in (COLOURS, LIGHT_COLOURS)
    ]
    return f":root{{{sets[0]}}}@media(prefers-color-scheme:dark){{:root{{{sets[1]}}}}}"


def write_report(run: Path) -> Path:
    """Write `report.html` into a run's folder, from what the folder holds so far.

    Raises:
        ContractError: The folder has no metrics.
    """
    target = run / REPORT_NAME
    target.write_text(render(run), encoding="utf-8")
    return target


def render(run: Path) -> str:
    """The HTML of a run's report."""
    records = read_metrics(run / "metrics.jsonl")
    sections = [
        _figures(records[-1], records),
        _section("Curves", f'<div class="charts">{_charts(records)}</div>'),
        _section("Sources", _sources(records)),
        _section("Staleness of updates", _staleness(records[-1])),
        _section("Held-out split", _heldout(run)),
        _section("Events", _events(run)),
        _section("Environment", _environment(run)),
        _section("Settings", _file(run / "settings.yaml")),
    ]
    return wrap(run.resolve().name, "".join(sections))


def wrap(title: str, body: str) -> str:
    """A whole HTML page with some sections in it."""
    title = html.escape(title)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}: training report</title><style>{_colours()}{_STYLE}</style>"
        f"<h1>{title}</h1>{body}</html>\n"
    )


def read_metrics(path: Path) -> list[Record]:
    """Records of `metrics.jsonl`; a last line that a kill cut short is left out.

    Raises:
        ContractError: The file is missing or empty.
    """
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        records = [json.loads(line) for line in lines if line.endswith("\n")]
        if records:
            return records
    raise ContractError(f"{path}: no metrics there yet; expected the folder of a run")


def _section(title: str, body: str) -> str:
    return f"<h2>{title}</h2>{body}" if body else ""


def figures(values: Mapping[str, str]) -> str:
    """Numbers side by side, each with its name below."""
    items = "".join(
        f"<div><b>{html.escape(value)}</b>{html.escape(name)}</div>"
        for name, value in values.items()
    )
    return f'<div class="figures">{items}</div>'


def _figures(last: Record, records: list[Record]) -> str:
    seconds = sum(record["seconds"] for record in records)
    waited = sum(record["seconds"] * record["wait_share"] for record in records)
    values = {
        "steps": f"{last['step'] + 1:,}",
        "tokens": f"{last['tokens']:,}",
        "loss": f"{last['loss']:.4f}",
        "tokens/s": f"{_middle([record['tokens_per_second'] for record in records]):,.0f}",
        "waiting for data": f"{100 * waited / max(seconds, 1e-9):.2f} %",
        "time in steps": f"{seconds / 3600:.2f} h" if seconds > 3600 else f"{seconds:.0f} s",
    }
    if last.get("mfu") is not None:
        values["MFU"] = f"{100 * _middle([r['mfu'] for r in records if r.get('mfu')]):.1f} %"
    return figures(values)


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0


def _charts(records: list[Record]) -> str:
    sources = sorted({name for record in records for name in record["loss_by_source"]})
    heldout = [(r["step"], r["heldout"]["loss"]) for r in records if "heldout" in r]

    def line(key: str) -> Points:
        return [(r["step"], r[key]) for r in records if r.get(key) is not None]

    def of_source(key: str, name: str) -> Points:
        return [(r["step"], r[key][name]) for r in records if name in r.get(key, {})]

    charts = [
        Chart(title="Loss (nats per label)", lines={"training": line("loss"), "held out": heldout}),
        Chart(
            title="Loss by source",
            lines={name: of_source("loss_by_source", name) for name in sources},
        ),
        Chart(title="Gradient norm", lines={"": line("grad_norm")}, logarithmic=True),
        Chart(title="Learning rate", lines={"": line("lr")}),
        Chart(title="Batch (rows)", lines={"": line("batch")}),
        Chart(
            title="Tokens by source and step",
            lines={name: of_source("tokens_by_source", name) for name in sources},
        ),
        Chart(title="Tokens per second", lines={"": line("tokens_per_second")}),
        Chart(
            title="Share of the step spent waiting for data",
            lines={"": line("wait_share")},
        ),
        Chart(title="Loss scale (fp16)", lines={"": line("loss_scale")}, logarithmic=True),
    ]
    drawn = [draw(chart) for chart in charts]
    return "".join(f"<figure>{svg}</figure>" for svg in drawn if svg)


def _sources(records: list[Record]) -> str:
    tokens, labels = _sums(records, "tokens_by_source"), _sums(records, "labels_by_source")
    total = max(sum(labels.values()), 1)
    last = {name: value for record in records for name, value in record["loss_by_source"].items()}
    rows = [
        (
            name,
            f"{tokens.get(name, 0):,}",
            f"{count:,}",
            f"{100 * count / total:.1f} %",
            f"{last.get(name, 0.0):.4f}",
        )
        for name, count in sorted(labels.items())
    ]
    return _table(("source", "tokens", "labels", "share", "last loss"), rows)


def _sums(records: list[Record], key: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for record in records:
        total.update(record.get(key, {}))
    return total


def _staleness(last: Record) -> str:
    """How many updates lay between reading weights and pushing their gradient, as a table.

    Empty for a run without parameter servers.
    """
    counts = {int(key): count for key, count in last.get("staleness", {}).items()}
    if not counts:
        return ""
    total, most = sum(counts.values()), max(counts.values())
    rows = [
        (
            str(stale),
            f"{count:,}",
            f"{100 * count / total:.1f} %",
            "\u2588" * round(24 * count / most),
        )
        for stale, count in sorted(counts.items())
    ]
    rows += [
        ("refused as too stale", f"{last['refused']:,}", "", ""),
        ("workers lost", f"{last['lost_workers']:,}", "", ""),
    ]
    return _table(("staleness", "gradients", "share", ""), rows)


def _heldout(run: Path) -> str:
    evaluation = _json(run / "evaluation.json")
    if not isinstance(evaluation, dict) or "heldout" not in evaluation:
        return ""
    whole = evaluation["heldout"]
    rows = [("all", *_loss_cells(whole))]
    rows += [(name, *_loss_cells(part)) for name, part in sorted(whole["sources"].items())]
    return _table(("source", "loss", "perplexity", "bits per byte"), rows)


def _loss_cells(part: Record) -> tuple[str, str, str]:
    bits = part["bits_per_byte"]
    return f"{part['loss']:.4f}", f"{part['perplexity']:.2f}", "" if bits is None else f"{bits:.4f}"


def _events(run: Path) -> str:
    path = run / EVENTS_NAME
    if not path.is_file():
        return ""
    hidden = ("number", "time", "kind", "step", "previous", "sha256")
    rows = [
        (
            event["kind"],
            f"{event['step']:,}",
            _words({k: v for k, v in event.items() if k not in hidden and v}),
        )
        for event in read_events(path)
    ]
    return _table(("event", "step", "details"), rows, kind="wide words")


def _words(values: Record) -> str:
    """Fields as text: strings unchanged, other values as JSON."""
    shown = [
        (key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for key, value in values.items()
    ]
    return ", ".join(f"{key}: {value}" for key, value in shown)


def _environment(run: Path) -> str:
    states = sorted((run / "checkpoints").glob("step-*/state.json"))
    state = _json(states[-1]) if states else None
    if not isinstance(state, dict):
        return ""
    lock = {k: v for k, v in state["environment"].items() if k != "packages"}
    lock["manifest_root"] = state["identity"].get("manifest_root")
    rows = [
        (key, _words(value) if isinstance(value, dict) else str(value))
        for key, value in lock.items()
        if value
    ]
    packages = state["environment"].get("packages", {})
    rows.append(("packages", f"{len(packages)}, torch {packages.get('torch')}"))
    return _table(("of the last checkpoint", ""), rows, kind="wide words")


def _file(path: Path) -> str:
    return f"<pre>{html.escape(path.read_text(encoding='utf-8'))}</pre>" if path.is_file() else ""


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, kind: str = "wide") -> str:
    escape: Callable[[str], str] = html.escape
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="{kind}"><table><tr>{top}</tr>{body}</table></div>'
