"""The report of a run, and of several runs beside each other: one HTML page that loads nothing."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pages.frame import Page, PageSection
from pages.numbers import short
from pages.tables import escaped, facts, table
from schemas.plain_json import json_text
from train.report.attempts import StepTimes, attempts_body, hosts_body
from train.report.course import certificate_section, course_section
from train.report.curves import curve_section
from train.report.events import EVENTS_NAME, Event, read_events
from train.report.run_files import Record, RunFiles, middle, read_run

REPORT_NAME = "report.html"
_SHOWN_ELSEWHERE = ("attempt", "attempt_end", "host", "straggler")


def write_report(run: Path, target: Path | None = None) -> Path:
    """Write the page of a run, by default into its folder, from what the folder holds so far.

    Raises:
        ContractError: The folder has no metrics.
    """
    target = target or run / REPORT_NAME
    target.write_text(render(run), encoding="utf-8")
    return target


def render(run: Path) -> str:
    """The HTML of a run's report."""
    files = read_run(run)
    events = read_events(run / EVENTS_NAME) if (run / EVENTS_NAME).is_file() else []
    sections = [
        PageSection(key="curves", title="Curves", body=curve_section([files])),
        PageSection(
            key="attempts", title="Attempts", body=attempts_body(events, _step_times(files))
        ),
        PageSection(key="hosts", title="Hosts", body=hosts_body(events)),
        PageSection(key="sources", title="Sources", body=_sources(files.records)),
        PageSection(key="staleness", title="Staleness of updates", body=_staleness(files.last)),
        PageSection(key="heldout", title="Held-out split", body=_heldout(files)),
        PageSection(key="course", title="Spikes and other turns", body=course_section(run)),
        PageSection(key="certificate", title="Token certificate", body=certificate_section(run)),
        PageSection(key="events", title="Events", body=_events(events)),
        PageSection(key="environment", title="Environment", body=_environment(files)),
        PageSection(key="settings", title="Settings", body=_file(run / "settings.yaml")),
    ]
    return Page(
        title=files.name,
        kind="training report",
        head=facts(_numbers(files)),
        sections=sections,
        footer="<p>The same numbers for machines: <code>metrics.jsonl</code>.</p>",
    ).render()


def _step_times(files: RunFiles) -> StepTimes:
    seconds = [record["seconds"] for record in files.records]
    every = files.settings.get("checkpoint", {}).get("every_steps", 0)
    return StepTimes(seconds=sum(seconds), middle=middle(seconds), between_checkpoints=every)


def _numbers(files: RunFiles) -> dict[str, str]:
    """The figures that the page begins with."""
    records, last = files.records, files.last
    seconds = sum(record["seconds"] for record in records)
    waited = sum(record["seconds"] * record["wait_share"] for record in records)
    values = {}
    if files.parameters is not None:
        values["parameters"] = short(files.parameters)
    values |= {
        "steps": f"{last['step'] + 1:,}",
        "tokens": short(last["tokens"]),
        "loss": f"{last['loss']:.4f}",
    }
    if files.last_heldout is not None:
        values["held-out loss"] = f"{files.last_heldout:.4f}"
    values |= {
        "tokens/s": f"{middle([record['tokens_per_second'] for record in records]):,.0f}",
        "waiting for data": f"{100 * waited / max(seconds, 1e-9):.2f} %",
        "time in steps": f"{seconds / 3600:.2f} h" if seconds > 3600 else f"{seconds:.0f} s",
    }
    if files.peak_memory is not None:
        values["peak memory of a rank"] = f"{short(files.peak_memory)}B"
    if last.get("mfu") is not None:
        values["MFU"] = f"{100 * middle([r['mfu'] for r in records if r.get('mfu')]):.1f} %"
    return values


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
    head = ("source", "tokens", "labels", "share", "last loss")
    return _table("What the run has read and scored, by source", head, rows)


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
    caption = "Updates between reading weights and pushing their gradient"
    return _table(caption, ("staleness", "gradients", "share", ""), rows, ends_in_words=True)


def _heldout(files: RunFiles) -> str:
    whole = files.evaluation
    if whole is None:
        return ""
    rows = [("all", *_loss_cells(whole))]
    rows += [(name, *_loss_cells(part)) for name, part in sorted(whole["sources"].items())]
    return _table("The last evaluation", ("source", "loss", "perplexity", "bits per byte"), rows)


def _loss_cells(part: Record) -> tuple[str, str, str]:
    bits = part["bits_per_byte"]
    return f"{part['loss']:.4f}", f"{part['perplexity']:.2f}", "" if bits is None else f"{bits:.4f}"


def _events(events: list[Event]) -> str:
    shown = [event for event in events if event["kind"] not in _SHOWN_ELSEWHERE]
    if not shown:
        return ""
    hidden = ("number", "time", "kind", "step", "previous", "sha256")
    rows = [
        (
            event["kind"],
            f"{event['step']:,}",
            _words({k: v for k, v in event.items() if k not in hidden and v}),
        )
        for event in shown
    ]
    head = ("event", "step", "details")
    return _table(
        "What changed the order of samples or the settings", head, rows, ends_in_words=True
    )


def _words(values: Record) -> str:
    """Fields as text: strings unchanged, other values as JSON."""
    shown = [
        (key, value if isinstance(value, str) else json_text(value))
        for key, value in values.items()
    ]
    return ", ".join(f"{key}: {value}" for key, value in shown)


def _environment(files: RunFiles) -> str:
    state = files.state
    if state is None:
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
    return _table("As the last checkpoint has it", ("fact", "value"), rows, ends_in_words=True)


def _file(path: Path) -> str:
    if not path.is_file():
        return ""
    text = html.escape(path.read_text(encoding="utf-8"))
    return f'<pre class="file" tabindex="0" role="group" aria-label="settings.yaml">{text}</pre>'


def _table(
    caption: str,
    head: tuple[str, ...],
    rows: Iterable[tuple[str, ...]],
    *,
    ends_in_words: bool = False,
) -> str:
    return table(caption, head, map(escaped, rows), ends_in_words=ends_in_words)
