"""SIGTERM asks the loop to save and end."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Protocol


class AsksToStop(Protocol):
    """Says whether a run is to save and end."""

    @property
    def is_set(self) -> bool:
        """Whether no step is to follow; asked once per step."""

    @property
    def leaves_step(self) -> bool:
        """Whether the step that runs is to be left; asked at each border between micro-batches."""


class StopFlag:
    """Set by SIGTERM or SIGINT; a second SIGINT interrupts at once."""

    def __init__(self) -> None:
        self.is_set = False
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)

    @property
    def leaves_step(self) -> bool:
        return self.is_set

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.is_set = True
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
