"""Lanes of tests: a mark says what a test needs, and a test that uses more than its marks say fails.

`pytest --fast` leaves out every test with one of these marks. Nobody has to remember them: a test
with a Spark fixture is marked by it, and any other test that starts a JVM, ranks or a browser is
refused, in each lane, with the mark that it lacks.
"""

from __future__ import annotations

import multiprocessing.process
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SPARK, RANKS, BROWSER, CLUSTER, SLOW = "spark", "distributed", "browser", "cluster", "slow"
LEFT_OUT = frozenset({SPARK, RANKS, BROWSER, CLUSTER, SLOW})
SPARK_FIXTURES = {"spark", "undisturbed_output"}
# `slow` is meant for more than 5 s of this thread's processor; other machines may take thrice that.
SLOW_SECONDS = 15
# Where a child of a test would look for Spark: its error then says what is missing.
NO_SPARK = "/no-Spark-in-this-test:-mark-it-with-pytest.mark.spark"

_BY_PROGRAM = {
    "spark-submit": SPARK, "spark-class": SPARK, "java": SPARK, "torchrun": RANKS,
    "chromium": BROWSER, "chrome": BROWSER,
}  # fmt: skip
_TRAIN_VERBS_WITH_RANKS = {"selftest", "launch"}


class Guard:
    """Knows what the running test may start; outside of tests everything may be started."""

    def __init__(self) -> None:
        self._allowed: frozenset[str] | None = None

    def install(self) -> None:
        """Watch this process for good: an audit hook cannot be taken out again."""
        sys.addaudithook(self._audit)
        start = multiprocessing.process.BaseProcess.start

        def watched(process: multiprocessing.process.BaseProcess) -> None:
            target = getattr(process, "_target", None)
            if getattr(target, "__module__", "") == "torch.multiprocessing.spawn":
                self.check(RANKS)
            start(process)

        multiprocessing.process.BaseProcess.start = watched  # type: ignore[method-assign]

    def _audit(self, event: str, details: tuple[object, ...]) -> None:
        if event == "subprocess.Popen" and self._allowed is not None:
            arguments = details[1]
            if isinstance(arguments, list | tuple):
                self.check(mark_of_command([os.fsdecode(part) for part in arguments]))

    def check(self, mark: str | None) -> None:
        """Refuse what the running test has no mark for.

        Raises:
            AssertionError: Names the mark; it is no error that code under test would handle.
        """
        if self._allowed is not None and mark is not None and mark not in self._allowed:
            raise AssertionError(f"this test needs the mark `{mark}` for what it starts")

    @contextmanager
    def during(self, marks: Iterable[str]) -> Iterator[None]:
        """Allow what a test's marks stand for, to it and to the processes that it starts."""
        self._allowed = frozenset(marks)
        before = os.environ.get("SPARK_HOME")
        if not self._allowed & {SPARK, CLUSTER}:
            os.environ["SPARK_HOME"] = NO_SPARK
        try:
            yield
        finally:
            self._allowed = None
            os.environ.pop("SPARK_HOME", None)
            if before is not None:
                os.environ["SPARK_HOME"] = before


def mark_of_command(arguments: list[str]) -> str | None:
    """The mark for starting this command, None where any test may start it."""
    program = Path(arguments[0]).name if arguments else ""
    if program == "java" and "-version" in arguments:
        return None
    if "torch.distributed.run" in arguments:
        return RANKS
    if "train" in arguments and arguments[arguments.index("train") - 1] == "-m":
        return RANKS if _TRAIN_VERBS_WITH_RANKS & set(arguments) else None
    return _BY_PROGRAM.get(program)


def marks_by_use(item: pytest.Item) -> Iterator[str]:
    """Marks that follow from a test's fixtures and from its other marks."""
    if SPARK_FIXTURES & set(getattr(item, "fixturenames", ())):
        yield SPARK
    if item.get_closest_marker(CLUSTER) is not None:
        yield SPARK


def marks_of(item: pytest.Item) -> set[str]:
    """All lane marks of a test."""
    return {marker.name for marker in item.iter_markers()} & LEFT_OUT


@contextmanager
def quick() -> Iterator[None]:
    """Bound a test of the fast lane by processor time, which other programs do not lengthen."""
    started = time.thread_time()
    yield
    taken = time.thread_time() - started
    assert taken < SLOW_SECONDS, f"took {taken:.0f} s of the processor: mark it `{SLOW}`"
