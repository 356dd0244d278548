"""Metrics as JSON lines, one per step, and a progress line for people."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pages.numbers import short
from schemas.plain_json import json_text
from train.checkpoint.durable import replace_text
from train.report.patient_file import PatientFile


class MetricsFile:
    """`metrics.jsonl` of a run; a resumed run first drops the lines that it will write again."""

    def __init__(self, path: Path, *, resume_step: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            kept = "".join(_lines_before(path, resume_step)) if resume_step else ""
            if kept.encode() != path.read_bytes():
                replace_text(path, kept)
        self._file = PatientFile(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, record: dict[str, Any]) -> None:
        """Append a record to the file."""
        self._file.write(json_text(record).encode() + b"\n")


def text_lines(path: Path) -> list[str]:
    """Lines with their ends; not splitlines, for a JSON string may hold U+2028."""
    return re.findall(r"[^\n]*\n|[^\n]+", path.read_text(encoding="utf-8"))


def _lines_before(path: Path, step: int) -> list[str]:
    kept = []
    for line in text_lines(path):
        # A line that a kill cut short has no newline; its step is run and written again.
        if line.endswith("\n") and json.loads(line)["step"] < step:
            kept.append(line)
    return kept


def progress_figures(record: dict[str, Any]) -> str:
    """The figures of a step in one line; those that a run does not have are left out."""
    parts = [
        f"loss {record['loss']:.3f}",
        f"norm {record['grad_norm']:.2f}",
        f"lr {record['lr']:.2e}",
        f"{short(record['tokens'])} tokens",
        f"{record['tokens_per_second']:,.0f} tokens/s",
        f"wait {100 * record['wait_share']:.1f} %",
    ]
    if record.get("memory_bytes") is not None:
        parts.append(f"memory {short(record['memory_bytes'])}B")
    if record.get("mfu") is not None:
        parts.append(f"MFU {100 * record['mfu']:.1f} %")
    return "  ".join(parts)


class ProgressLine:
    """A progress bar on a terminal; elsewhere a plain line about every twentieth of the run."""

    def __init__(self, *, total_steps: int) -> None:
        self._console = Console(stderr=True)
        self._total = total_steps
        self._started, self._shown = time.monotonic(), 0
        self._bar: Progress | None = None
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("train"),
                BarColumn(bar_width=20),
                MofNCompleteColumn(),
                TextColumn("{task.fields[figures]}"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._task = self._bar.add_task("train", total=total_steps, figures="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def write(self, record: dict[str, Any]) -> None:
        done = int(record["step"]) + 1
        self._shown += 1
        figures = progress_figures(record)
        if self._bar is not None:
            self._bar.update(self._task, completed=done, figures=figures)
        elif done == self._total or done == 1 or done % max(self._total // 20, 1) == 0:
            left = (self._total - done) * (time.monotonic() - self._started) / self._shown
            eta = f"  ETA {timedelta(seconds=round(left))}" if done < self._total else ""
            self._console.print(
                f"step {done}/{self._total}  {figures}{eta}", highlight=False, soft_wrap=True
            )
