"""What a supervisor is given: the run, and the signals that end it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from train.supervisor.config import SupervisionConfig


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is supervised.

    Attributes:
        output: Folder of the run.
        argv: Arguments of each rank.
        ranks_per_host: Ranks that each host holds.
        session: Names this allocation, also after the scheduler has requeued it: the streaks of its
            failures go on.
        refuse: Raises where a world of so many ranks cannot work.
    """

    output: Path
    argv: Sequence[str]
    ranks_per_host: int
    session: str
    config: SupervisionConfig
    refuse: Callable[[int], None] = lambda size: None


@dataclass
class AskedToStop:
    """Notes the signals that end a supervisor: SIGTERM (a scheduler), SIGINT (a person).

    Attributes:
        number: The first of them.
        is_urgent: Whether a person has asked twice.
    """

    number: int | None = None
    is_urgent: bool = False

    def install(self) -> None:
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.is_urgent = self.number is not None and number == signal.SIGINT
        self.number = self.number or number
