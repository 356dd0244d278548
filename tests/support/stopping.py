"""A signal to stop that comes at a chosen step."""

from __future__ import annotations


class StopAfter:
    """Asks to stop at the `count`-th look."""

    def __init__(self, count: int) -> None:
        self._left = count

    @property
    def is_set(self) -> bool:
        self._left -= 1
        return self._left <= 0
