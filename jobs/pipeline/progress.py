"""A progress bar per stage from Spark's status tracker, instead of Spark's own console lines."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from py4j.protocol import Py4JError
from pyspark import SparkContext
from pyspark.sql import SparkSession
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

POLL_SECONDS = 0.5


@contextmanager
def spark_progress(session: SparkSession, name: str, console: Console) -> Iterator[None]:
    """Show finished and known tasks while the body runs; nothing of it enters a result."""
    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("tasks"),
        TimeElapsedColumn(),
    )
    done = threading.Event()
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(name, total=None)

        def poll() -> None:
            while not done.wait(POLL_SECONDS):
                try:
                    finished, known = _count_tasks(session.sparkContext)
                except (Py4JError, OSError):  # the JVM ended; what it was working on says so
                    return
                progress.update(bar, completed=finished, total=known or None)

        watcher = threading.Thread(target=poll, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


def _count_tasks(context: SparkContext) -> tuple[int, int]:
    """Finished and known tasks of the stages that run now."""
    tracker = context.statusTracker()
    infos = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    known = [info for info in infos if info is not None]
    return sum(i.numCompletedTasks for i in known), sum(i.numTasks for i in known)
