"""What a supervisor is given: the run, and the signals that end it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from train.checkpoint.pointer import CHECKPOINTS_NAME, latest_checkpoint, step_of
from train.report.events import EVENTS_NAME, read_events
from train.supervisor.config import SupervisionConfig


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is supervised.

    Attributes:
        output: Folder of the run.
        takes_over: Whether the ranks that are left can do what a lost one did in a step.
        phases: Folders of its phases before the last, each with checkpoints and events of its own.
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
    phases: Sequence[Path] = ()
    takes_over: bool = False

    @property
    def folders(self) -> list[Path]:
        """The folders of all phases, in their order."""
        return [*self.phases, self.output]

    def newest_checkpoint(self) -> Path | None:
        """The last checkpoint that was published; of the newest phase that has one."""
        found = [latest_checkpoint(folder / CHECKPOINTS_NAME) for folder in self.folders]
        return next((path for path in reversed(found) if path is not None), None)

    def published_steps(self) -> int | None:
        """Steps up to the newest published checkpoint, over all phases; None where that cannot be known."""
        try:
            found = [latest_checkpoint(folder / CHECKPOINTS_NAME) for folder in self.folders]
        except OSError:
            return None
        return sum(step_of(path) for path in found if path is not None)

    def was_left(self, since: float) -> bool:
        """Whether the ranks have left the run before its end since that time of the calendar."""
        for folder in self.folders:
            path = folder / EVENTS_NAME
            events = read_events(path) if path.is_file() else []
            if any(event["kind"] == "stop" and event["time"] >= since for event in events):
                return True
        return False


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
