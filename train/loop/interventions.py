"""What changed a run's course since it began: batches left out, the rate scaled or warmed up again.

A checkpoint holds the list as it was; what was decided later about the same step stands in the run's events. So
a run that is killed right after it went back to a checkpoint goes on as it had decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from train.checkpoint.pointer import CHECKPOINTS_NAME, latest_checkpoint
from train.checkpoint.state_file import read_state
from train.loop.plan import SampleSkip
from train.report.events import EVENTS_NAME, Event, read_events

ROLLBACK, SWAP = "rollback", "swap"


@dataclass(frozen=True, kw_only=True)
class Interventions:
    """All that was decided up to a step.

    Attributes:
        skips: Samples that are jumped over, in the order of the decisions.
        rate_scale: Factor of the learning rate.
        rewarm_from: The step at which the rate began to climb again; None: it never did.
        rewarm_steps: Over how many steps it climbs.
        actions: How many times something was done about a spike.
    """

    skips: tuple[SampleSkip, ...] = ()
    rate_scale: float = 1.0
    rewarm_from: int | None = None
    rewarm_steps: int = 0
    actions: int = 0

    def rate_factor(self, step: int) -> float:
        """Factor of the scheduled rate at a step."""
        if self.rewarm_from is None:
            return self.rate_scale
        climbed = (step - self.rewarm_from + 1) / self.rewarm_steps
        return self.rate_scale * min(1.0, max(climbed, 0.0))

    def with_skip(self, skip: SampleSkip) -> Self:
        """Jump over some samples as well."""
        return replace(self, skips=(*self.skips, skip)) if skip.count else self

    def with_rate(self, *, step: int, scale: float, rewarm_steps: int) -> Self:
        """Scale the rate from a step on, and let it climb again over so many steps, if any."""
        scaled = replace(self, rate_scale=self.rate_scale * scale)
        if not rewarm_steps:
            return scaled
        return replace(scaled, rewarm_from=step, rewarm_steps=rewarm_steps)

    def counted(self) -> Self:
        """With one more thing done about a spike."""
        return replace(self, actions=self.actions + 1)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps, as JSON."""
        return asdict(self)

    @classmethod
    def of_state(cls, state: dict[str, Any] | None) -> Self:
        """What a checkpoint kept; nothing for one of an earlier version."""
        if state is None:
            return cls()
        return cls(**{**state, "skips": tuple(SampleSkip(**skip) for skip in state["skips"])})

    def decided_since(self, events: Sequence[Event], *, step: int) -> Self:
        """With what later events say of going back to the checkpoint of this step.

        Args:
            events: Those that the checkpoint does not hold.
            step: Updates that the checkpoint's weights have seen.
        """
        found = self
        for event in events:
            if event["kind"] == ROLLBACK and event["step"] == step:
                found = found.with_skip(SampleSkip(**event["skip"])).with_rate(
                    step=step, scale=event["rate_scale"], rewarm_steps=event["rewarm_steps"]
                )
                found = replace(found, actions=max(found.actions, event["actions"]))
            if event["kind"] == SWAP and event["step"] == step:
                found = found.with_rate(step=step, scale=1.0, rewarm_steps=event["rewarm_steps"])
        return found


def course_of_run(output: str) -> Interventions:
    """What was decided in a run so far, as its last checkpoint and its events tell it.

    Raises:
        ContractError: The checkpoint is damaged.
    """
    path = latest_checkpoint(Path(output) / CHECKPOINTS_NAME)
    if path is None:
        return Interventions()
    state = read_state(path)
    file = Path(output) / EVENTS_NAME
    events = read_events(file) if file.is_file() else []
    held = len(state.get("events", []))
    course = Interventions.of_state(state.get("interventions"))
    return course.decided_since(events[held:], step=int(state["step"]))
