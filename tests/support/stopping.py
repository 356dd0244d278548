"""Signals to stop that come at a chosen step, or between two micro-batches."""

from __future__ import annotations


class StopAfter:
    """Asks to stop at the end of the `count`-th step."""

    leaves_step = False

    def __init__(self, count: int) -> None:
        self._left = count

    @property
    def is_set(self) -> bool:
        self._left -= 1
        return self._left <= 0


class LeaveAt:
    """Asks to leave the step at the `count`-th border between micro-batches of this rank."""

    is_set = False

    def __init__(self, count: int) -> None:
        self._left = count

    @property
    def leaves_step(self) -> bool:
        self._left -= 1
        return self._left <= 0
