"""Where the figures of each step go: a list of sinks, opened once and closed together.

Only the first rank has sinks. Both the loop of common steps and the run on parameter servers write to
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from train.checkpoint.store import CheckpointStore
from train.report.metrics import MetricsFile, ProgressLine
from train.report.tensorboard import TensorBoardFile, scalars
from train.report.trackers import open_tracker
from train.settings import MetricsConfig

METRICS_NAME, TENSORBOARD_NAME = "metrics.jsonl", "tensorboard"


class Sink(Protocol):
    """Something that is told of each step."""

    def write(self, record: dict[str, Any]) -> None:
        """Take the figures of a step; `step` is its number, from 0."""


def open_sinks(
    stack: ExitStack,
    output: Path,
    config: MetricsConfig,
    store: CheckpointStore,
    *,
    first_step: int,
    total_steps: int,
) -> list[Sink]:
    """Open the sinks of a run: the files of figures, checkpoints in writing, the progress line.

    Args:
        stack: Closes them.
        output: Folder of the run.
        config: Which files there are, and how often they are written.
        store: Its checkpoints are published when their files are whole.
        first_step: The first step that will be written; metrics of it and of later ones are dropped.
        total_steps: Steps until the run ends.
    """
    files: list[AbstractContextManager[Sink]] = [
        MetricsFile(output / METRICS_NAME, resume_step=first_step)
    ]
    if config.tensorboard:
        files.append(_tensorboard(output / TENSORBOARD_NAME, first_step=first_step))
    files += [closing(open_tracker(sink, output, first_step=first_step)) for sink in config.sinks]
    return [
        *(
            _EveryNth(stack.enter_context(file), every=config.every_steps, last=total_steps)
            for file in files
        ),
        _Publisher(store),
        stack.enter_context(ProgressLine(total_steps=total_steps)),
    ]


class _EveryNth:
    """Passes on the last one of every so many steps, that of the run, and each that was measured or did not do its work."""

    def __init__(self, sink: Sink, *, every: int, last: int) -> None:
        self._sink, self._every, self._last = sink, every, last

    def write(self, record: dict[str, Any]) -> None:
        done = record["step"] + 1
        is_due = done % self._every == 0 or done == self._last
        measured = "heldout" in record or "tasks" in record
        if is_due or measured or record.get("skipped"):
            self._sink.write(record)


class _Publisher:
    """Publishes a checkpoint that a thread has written meanwhile."""

    def __init__(self, store: CheckpointStore) -> None:
        self._store = store

    def write(self, record: dict[str, Any]) -> None:
        self._store.poll()


class _TensorBoard:
    """The scalars of each record."""

    def __init__(self, file: TensorBoardFile) -> None:
        self._file = file

    def write(self, record: dict[str, Any]) -> None:
        self._file.write(record["step"], scalars(record))


@contextmanager
def _tensorboard(folder: Path, *, first_step: int) -> Iterator[Sink]:
    file = TensorBoardFile(folder, first_step=first_step)
    try:
        yield _TensorBoard(file)
    finally:
        file.close()
