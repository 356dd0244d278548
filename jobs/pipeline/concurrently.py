"""Independent Spark actions at the same time: planning one fills the pauses of another."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def together(*actions: Callable[[], Any]) -> list[Any]:
    """Results of the actions, each run in a thread of its own.

    On small tables planning is most of an action, and it keeps one core busy; on large ones Spark
    shares its cores between them.

    Raises:
        Exception: What the first of them, in the order given, raised; all have ended then.
    """
    with ThreadPoolExecutor(max_workers=len(actions)) as pool:
        results = [pool.submit(action) for action in actions]
    return [result.result() for result in results]
