"""What pages of studies have in common: runs with their pages and commands, curves laid over each other, costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from pages.numbers import short
from pages.tables import table
from schemas.errors import ContractError
from train.report.curves import loss_section
from train.report.page import REPORT_NAME
from train.report.run_files import RunFiles, read_run
from train.studies.outcome import Outcome
from train.studies.runs import StudyRun

# More lines in one chart are a cloud.
MOST_CURVES = 12


def curves(runs: Sequence[StudyRun]) -> str:
    """The curves of some runs, laid over each other; runs that have none yet are left out."""
    found: list[RunFiles] = []
    for run in runs[:MOST_CURVES]:
        try:
            found.append(read_run(Path(run.settings.output), run.name))
        except ContractError:
            continue
    return loss_section(found) if len(found) > 1 else ""


def run_table(
    runs: Sequence[StudyRun], found: Mapping[str, Outcome], folder: Path, figure: str
) -> str:
    """Each run with its figures, a link to its page, and the command that trains it again."""
    head = ("run", figure, "tokens", "CPU seconds", "seconds in steps", "again")
    return table(
        "Runs",
        head,
        (_run_row(run, found.get(run.name), folder) for run in runs),
        pinned=True,
        ends_in_words=True,
    )


def _run_row(run: StudyRun, outcome: Outcome | None, folder: Path) -> tuple[str, ...]:
    output = Path(run.settings.output)
    command = f"<code>{escape(rerun_command(output))}</code>"
    if outcome is None:
        return (run_link(run.name, output, folder), "not done", "", "", "", command)
    value = shown(outcome.value) if outcome.is_done else "failed"
    return (
        run_link(run.name, output, folder),
        escape(value),
        f"{outcome.tokens:,}",
        shown(outcome.costs.cpu_seconds, digits=3),
        shown(outcome.costs.seconds, digits=3),
        command,
    )


def run_link(name: str, output: Path, folder: Path) -> str:
    """The name of a run, which leads to its page where it has one."""
    if not (output / REPORT_NAME).is_file():
        return escape(name)
    target = quote(str((output / REPORT_NAME).relative_to(folder)))
    return f'<a href="{target}">{escape(name)}</a>'


def rerun_command(output: Path) -> str:
    """The command that trains a run again, in a folder of its own."""
    return f"python -m train pretrain --recipe {output}/recipe.yaml --set output={output}-again"


def failures(outcomes: Iterable[Outcome]) -> str:
    """What failed and why; empty where nothing did."""
    rows = [
        (escape(one.name), escape(one.why or "no reason is known"))
        for one in outcomes
        if not one.is_done
    ]
    return table("Runs that failed", ("run", "why"), rows, words=2) if rows else ""


def shown(value: float | None, *, digits: int = 5) -> str:
    """A number as a table has it; nothing where it is not known."""
    return "" if value is None or not math.isfinite(value) else f"{value:.{digits}g}"


def large(value: float) -> str:
    """A large number, shortened; nothing where it is not known."""
    return short(value) if math.isfinite(value) else ""
