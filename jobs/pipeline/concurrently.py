"""Independent Spark actions at the same time: planning one fills the pauses of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from pyspark import inheritable_thread_target
from pyspark.sql import SparkSession

MOST_ACTIONS = 8

P = ParamSpec("P")
T = TypeVar("T")


class Actions:
    """Starts actions, each in a thread of its own."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self.started: list[Future[Any]] = []

    def start(self, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Start one; its result is there when the block has ended."""
        session = SparkSession.getActiveSession()
        # Names of jobs belong to a thread: those of the thread that starts the action go with it.
        named = action if session is None else inheritable_thread_target(session)(action)
        future: Future[T] = self._pool.submit(named, *args, **kwargs)
        self.started.append(future)
        return future


@contextmanager
def concurrently() -> Iterator[Actions]:
    """Run the actions that the block starts; all of them have ended where the block ends.

    On small tables planning is most of an action, and it keeps one core busy; on large ones Spark
    shares its cores between them.

    Raises:
        Exception: What the first of them, in the order of their start, raised.
    """
    with ThreadPoolExecutor(MOST_ACTIONS) as pool:
        actions = Actions(pool)
        yield actions
    for future in actions.started:
        future.result()
