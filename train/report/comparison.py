"""Several runs on one page: their figures, the settings in which they differ, their curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pages.frame import Page, PageSection
from pages.numbers import short
from pages.tables import escaped, table
from schemas.errors import ContractError
from schemas.plain_json import json_text
from train.report.curves import curve_section
from train.report.run_files import RunFiles, middle, read_run

COMPARISON_NAME = "comparison.html"
# What differs between any two runs, and says nothing of their results.
_OWN_KEYS = ("output",)


def write_comparison(folders: Sequence[Path], target: Path) -> Path:
    """Write a page with several runs beside each other.

    Raises:
        ContractError: A folder has no metrics, one is named twice, or the page cannot be written.
    """
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() in seen:
            raise ContractError(f"{folder}: named twice; name each run once")
        seen.add(folder.resolve())
    runs = [
        read_run(folder, name) for folder, name in zip(folders, run_names(folders), strict=True)
    ]
    try:
        target.write_text(render_comparison(runs), encoding="utf-8")
    except OSError as error:
        raise ContractError(f"{target}: cannot be written ({error.strerror})") from error
    return target


def run_names(folders: Sequence[Path]) -> list[str]:
    """What each run is called: as few of the last parts of its path as tell it from the others."""
    parts = [folder.resolve().parts for folder in folders]
    names = [part[-1] for part in parts]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return names


def render_comparison(runs: Sequence[RunFiles]) -> str:
    """The HTML of a comparison."""
    return Page(
        title=f"{len(runs)} runs",
        kind="comparison of training runs",
        head="<p>Losses are comparable where tokenizer, objective and held-out split are the same.</p>",
        sections=run_sections(runs),
        footer="<p>The same numbers for machines: <code>metrics.jsonl</code> of each run.</p>",
    ).render()


def run_sections(runs: Sequence[RunFiles]) -> list[PageSection]:
    """The figures of some runs, their curves, and the settings in which they differ."""
    return [
        PageSection(key="runs", title="Runs", body=_figures(runs)),
        PageSection(key="curves", title="Curves", body=curve_section(runs)),
        PageSection(key="settings", title="Settings that differ", body=_differences(runs)),
    ]


def _figures(runs: Sequence[RunFiles]) -> str:
    head = (
        "run", "parameters", "steps", "tokens", "last loss", "last held-out loss",
        "best held-out loss", "bits per byte", "tokens/s", "peak memory", "hours in steps",
    )  # fmt: skip
    return table("Figures of each run", head, map(_row, runs), pinned=True)


def _row(run: RunFiles) -> tuple[str, ...]:
    last, heldout = run.last, [loss for _, loss in run.heldout]
    bits = (run.evaluation or {}).get("bits_per_byte")
    hours = sum(record["seconds"] for record in run.records) / 3600
    return escaped(
        (
            run.name,
            short(run.parameters) if run.parameters is not None else "",
            f"{last['step'] + 1:,}",
            short(last["tokens"]),
            f"{last['loss']:.4f}",
            f"{heldout[-1]:.4f}" if heldout else "",
            f"{min(heldout):.4f}" if heldout else "",
            f"{bits:.4f}" if bits is not None else "",
            f"{middle([record['tokens_per_second'] for record in run.records]):,.0f}",
            f"{short(run.peak_memory)}B" if run.peak_memory is not None else "",
            f"{hours:.3g}",
        )
    )


def _differences(runs: Sequence[RunFiles]) -> str:
    flat = [dict(_leaves(run.settings)) for run in runs]
    keys = sorted({key for settings in flat for key in settings})
    rows = [
        (key, *(settings.get(key, "") for settings in flat))
        for key in keys
        if key not in _OWN_KEYS and len({settings.get(key) for settings in flat}) > 1
    ]
    if not rows:
        return "<p class=none>None.</p>"
    head = ("setting", *(run.name for run in runs))
    return table(
        "Settings in which the runs differ", head, map(escaped, rows), words=len(head), pinned=True
    )


def _leaves(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, value as JSON) of all settings; lists are one value."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{where}.{key}" if where else str(key))
    elif where:
        yield where, json_text(value)
