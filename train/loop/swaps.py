"""Settings that change while a run goes on: a request in the run's folder, taken up at the border of a step.

The run saves itself at that step, opens again with the changed settings within the same processes, and resumes:
what a swap does is what stopping, editing the recipe and starting again would have done, so it also survives kills. Every swap is an
event; a run that starts from an earlier checkpoint meets it again at its step.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from schemas.errors import ContractError, PipelineError, SettingsError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.plain_json import json_text
from train.checkpoint.durable import replace_text
from train.loop.interventions import SWAP
from train.loop.swap_settings import Moment, with_swap
from train.report.events import EVENTS_NAME, Event, Events, read_events
from train.settings import TrainSettings

logger = logging.getLogger(__name__)

REQUEST_NAME, REFUSED_NAME = "swap.json", "swap.refused.json"
ACCEPTED, REFUSED = "swap_accepted", "swap_refused"


@dataclass(frozen=True, kw_only=True)
class Swap:
    """A change of settings at a step.

    Attributes:
        at: Updates after which it holds; None: after the next one.
        overrides: `dotted.key=value`, as `--set` takes them.
        rewarm_steps: Over how many steps the rate climbs again; 0: it does not.
        blend_steps: Over how many steps another activation takes over from the one before; 0: at once.
        run: SHA-256 of the first event of the run that is meant.
    """

    at: int | None
    overrides: tuple[str, ...]
    rewarm_steps: int
    run: str
    blend_steps: int = 0

    def body(self) -> dict[str, Any]:
        """What a request file and an event hold of it."""
        fields = {**asdict(self), "overrides": list(self.overrides)}
        if not self.blend_steps:
            del fields["blend_steps"]  # events of earlier versions have the hash of the others
        return fields

    @property
    def sha256(self) -> str:
        return sha256_hex(canonical_json(self.body()))

    @classmethod
    def of(cls, body: dict[str, Any]) -> Self:
        """The swap of a request file or an event."""
        return cls(
            at=body["at"],
            overrides=tuple(map(str, body["overrides"])),
            rewarm_steps=int(body["rewarm_steps"]),
            blend_steps=int(body.get("blend_steps", 0)),
            run=str(body["run"]),
        )


def write_request(run: Path, swap: Swap) -> Path:
    """Ask a run for a swap; replaces a request that it has not taken up yet."""
    path = run / REQUEST_NAME
    replace_text(path, json_text({**swap.body(), "sha256": swap.sha256}, indent=1) + "\n")
    return path


def run_of(events: Sequence[Event]) -> str:
    """What names a run: its first event."""
    return str(events[0]["sha256"]) if events else ""


@dataclass(kw_only=True)
class SwapQueue:
    """The swaps that a run has still to make; every rank has the same ones.

    Attributes:
        output: Folder of the run.
        pending: By step, in their order.
        made_at: Steps of those that were made.
    """

    output: Path
    pending: list[Swap] = field(default_factory=list)
    made_at: list[int] = field(default_factory=list)

    def has_request(self) -> bool:
        """Whether somebody asks for one; the first rank looks at each step."""
        return (self.output / REQUEST_NAME).exists()

    def take_request(
        self, events: Events, *, step: int, check: Callable[[Swap], None]
    ) -> dict[str, Any] | None:
        """Read the request; the first rank calls it. What cannot be meant is put aside and noted.

        Args:
            events: Of the run.
            step: Updates that were made.
            check: Raises where the run cannot make the swap.

        Returns:
            The swap as JSON; None where it was refused.
        """
        path = self.output / REQUEST_NAME
        try:
            body = json.loads(path.read_bytes())
            swap = Swap.of(body)
            if body.get("sha256") != swap.sha256:
                raise ContractError("was altered: its SHA-256 is not that of its content")
            if swap.run != run_of(events.events):
                raise ContractError(
                    f"is for the run {swap.run[:12]}, this is {run_of(events.events)[:12]}"
                )
            if swap.at is not None and swap.at < step:
                raise ContractError(f"is for step {swap.at}, the run is at {step}")
            check(swap)
        except (OSError, ValueError, KeyError, TypeError, PipelineError) as error:
            logger.warning("%s: %s; the run goes on without it", path, error)
            events.append(REFUSED, step=step, reason=str(error))
            path.replace(self.output / REFUSED_NAME)
            return None
        at = step if swap.at is None else swap.at
        accepted = replace(swap, at=at)
        events.append(ACCEPTED, step=step, sha=accepted.sha256, **accepted.body())
        path.unlink()  # from here on its event holds it, also for a run that is killed before its step
        return accepted.body()

    def add(self, body: dict[str, Any]) -> None:
        """Queue a swap that all ranks know."""
        self.pending = sorted([*self.pending, Swap.of(body)], key=lambda swap: swap.at or 0)

    def is_due(self, step: int) -> bool:
        """Whether a swap is to be made before this step."""
        return bool(self.pending) and (self.pending[0].at or 0) <= step

    def make(self, settings: TrainSettings, events: Events, moment: Moment) -> TrainSettings:
        """The settings from this moment on; each swap is noted."""
        step = moment.step
        while self.is_due(step):
            swap = self.pending.pop(0)
            try:
                found = with_swap(settings, swap.overrides, moment, blend_steps=swap.blend_steps)
            except SettingsError as error:
                logger.warning("the swap at step %d is refused: %s", step, error)
                events.append(REFUSED, step=step, reason=str(error), sha=swap.sha256)
                continue
            is_fresh = found.optimizer.name != settings.optimizer.name
            noted = {
                **swap.body(), "sha": swap.sha256, "fresh_optimizer": is_fresh,
                "tokens": moment.tokens, "activation": moment.activation,
            }  # fmt: skip
            # A run that went back further meets it again, where batches were jumped over at other tokens.
            if not any(
                one["kind"] == SWAP
                and (one["sha"], one.get("tokens")) == (swap.sha256, moment.tokens)
                for one in events.events
            ):
                events.append(SWAP, step=step, **noted)
            logger.info("step %d: swapped %s", step, ", ".join(swap.overrides))
            settings = found
            self.made_at.append(step)
        return settings

    def has_made_after(self, step: int) -> bool:
        """Whether the settings are those after a swap that a run at this step has not met yet."""
        return any(made > step for made in self.made_at)

    def replay(
        self, settings: TrainSettings, events: Sequence[Event], *, step: int
    ) -> TrainSettings:
        """The settings of a run at a step, from its recipe and its events; what comes later is queued.

        Args:
            settings: The recipe.
            events: `swaps_of_run`.
            step: Updates that were made.
        """
        self.pending, self.made_at = [], []
        made = {event["sha"]: event for event in events if event["kind"] == SWAP}
        for event in sorted(made.values(), key=lambda one: one["step"]):
            if event["step"] <= step:
                settings = with_made_swap(settings, event)
                self.made_at.append(event["step"])
        settled = {event["sha"] for event in events if event["kind"] == REFUSED and "sha" in event}
        settled |= {sha for sha, event in made.items() if event["step"] <= step}
        asked = {event["sha"]: event for event in events if event["kind"] in (ACCEPTED, SWAP)}
        for sha, event in asked.items():
            if sha not in settled:
                self.add(
                    {**event, "at": event["at"] if event["kind"] == ACCEPTED else event["step"]}
                )
        return settings


def swaps_of_run(output: Path) -> list[Event]:
    """What the events of a run say of swaps: those that were accepted, made and refused."""
    path = output / EVENTS_NAME
    events = read_events(path) if path.is_file() else []
    return [event for event in events if event["kind"] in (ACCEPTED, SWAP, REFUSED)]


def with_made_swap(settings: TrainSettings, event: Event) -> TrainSettings:
    """The settings after a swap that an event tells of."""
    moment = Moment(
        step=event["step"], tokens=event.get("tokens") or 0, activation=event.get("activation")
    )
    blend_steps = event.get("blend_steps", 0)
    return with_swap(settings, event["overrides"], moment, blend_steps=blend_steps)
