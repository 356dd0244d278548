"""A step that fails the same way each time is not replayed for as long as torchrun restarts the ranks."""

from __future__ import annotations

import os
from collections.abc import Sequence

from schemas.errors import PipelineError
from train.report.events import Event

NOT_FINITE = "not_finite"
# A first failure may be a fault of the machine: it is tried once more. The order of samples, the noise and the
# sums of a step are computed from its number, so the second failure is the run's own.
_TRIES = 2


def refuse_replay(events: Sequence[Event]) -> None:
    """Refuse to go on where torchrun restarts a run whose last attempts failed at the same step.

    A start by hand is not refused: whoever starts has changed something, or wants to see it again.

    Raises:
        PipelineError: It would fail again.
    """
    if int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) == 0:
        return
    failures: list[Event] = []
    for event in reversed(events):
        if event["kind"] not in (NOT_FINITE, "resume", "start", "manifest"):
            break
        if event["kind"] == NOT_FINITE:
            failures.append(event)
    steps = {event["step"] for event in failures[:_TRIES]}
    if len(failures) >= _TRIES and len(steps) == 1:
        raise PipelineError(
            f"step {steps.pop()}: was not finite {len(failures)} times in a row and is not replayed; "
            f"the last time: {failures[0]['error']}"
        )
