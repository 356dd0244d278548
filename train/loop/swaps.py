"""Settings that change while a run goes on: a request in the run's folder, taken up at the border of a step.

The run saves itself at that step, opens again with the changed settings within the same processes, and resumes:
what a swap does is what stopping, editing the recipe and starting again would have done, so it also survives kills. Every swap is an
event; a run that starts from an earlier checkpoint meets it again at its step.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from schemas.errors import ContractError, SettingsError
from schemas.fingerprints import canonical_json, sha256_hex
from schemas.plain_json import json_text
from schemas.settings import parse_settings
from train.aliases import translate_recipe
from train.checkpoint.config import CHANGEABLE
from train.checkpoint.durable import replace_text
from train.loop.interventions import SWAP
from train.report.events import EVENTS_NAME, Event, Events, read_events
from train.settings import TrainSettings

logger = logging.getLogger(__name__)

REQUEST_NAME, REFUSED_NAME = "swap.json", "swap.refused.json"
SWAPPABLE = ("schedule.", "optimizer.", "model.dropout")
# Without a warm-up a fresh AdamW's first steps raise the loss by a quarter of a nat (a prototype's figure).
FRESH_WARMUP_STEPS = 20


@dataclass(frozen=True, kw_only=True)
class Swap:
    """A change of settings at a step.

    Attributes:
        at: Updates after which it holds; None: after the next one.
        overrides: `dotted.key=value`, as `--set` takes them.
        rewarm_steps: Over how many steps the rate climbs again; 0: it does not.
        run: SHA-256 of the first event of the run that is meant.
    """

    at: int | None
    overrides: tuple[str, ...]
    rewarm_steps: int
    run: str

    @property
    def sha256(self) -> str:
        return sha256_hex(canonical_json({**asdict(self), "overrides": list(self.overrides)}))

    @classmethod
    def of(cls, body: dict[str, Any]) -> Self:
        """The swap of a request file or an event."""
        return cls(
            at=body["at"],
            overrides=tuple(map(str, body["overrides"])),
            rewarm_steps=int(body["rewarm_steps"]),
            run=str(body["run"]),
        )


def with_swap(settings: TrainSettings, overrides: Sequence[str]) -> TrainSettings:
    """The settings of a run after a swap.

    Raises:
        SettingsError: A key cannot be changed while a run goes on, or its value cannot work.
    """
    for override in overrides:
        key = override.split("=", 1)[0]
        if not key.startswith(SWAPPABLE):
            raise SettingsError(
                f"{key}: cannot be swapped while a run goes on, only {', '.join(SWAPPABLE)} can; "
                "train resume --at-step opens a branch"
            )
    before = settings.model_dump(mode="json")
    data, _ = translate_recipe(before, overrides)
    found = parse_settings(TrainSettings, data, where="swap")
    keys = {override.split("=", 1)[0] for override in overrides}
    is_new_sgd = found.optimizer.name == "sgd" != settings.optimizer.name
    if is_new_sgd and "schedule.peak_lr" not in keys:
        raise SettingsError(
            "optimizer.name sgd: the rate of another optimizer is none of sgd's; give schedule.peak_lr too"
        )
    changed = {key.split(".")[0] for key in keys}.intersection(CHANGEABLE)
    accepted = tuple(sorted(changed | {*found.checkpoint.accept_changes}))
    keeps = found.checkpoint.model_copy(update={"accept_changes": accepted})
    return found.model_copy(update={"checkpoint": keeps})


def write_request(run: Path, swap: Swap) -> Path:
    """Ask a run for a swap; replaces a request that it has not taken up yet."""
    path = run / REQUEST_NAME
    replace_text(path, json_text({**asdict(swap), "sha256": swap.sha256}, indent=1) + "\n")
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
    """

    output: Path
    pending: list[Swap] = field(default_factory=list)

    def has_request(self) -> bool:
        """Whether somebody asks for one; the first rank looks at each step."""
        return (self.output / REQUEST_NAME).exists()

    def take_request(self, events: Events, *, step: int) -> dict[str, Any] | None:
        """Read the request; the first rank calls it. What cannot be meant is put aside and noted.

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
        except (OSError, ValueError, KeyError, TypeError, ContractError) as error:
            logger.warning("%s: %s; the run goes on without it", path, error)
            events.append("swap_refused", step=step, reason=str(error))
            path.replace(self.output / REFUSED_NAME)
            return None
        path.unlink()
        at = step if swap.at is None else swap.at
        return {**asdict(swap), "at": at}

    def add(self, body: dict[str, Any]) -> None:
        """Queue a swap that all ranks know."""
        self.pending = sorted([*self.pending, Swap.of(body)], key=lambda swap: swap.at or 0)

    def is_due(self, step: int) -> bool:
        """Whether a swap is to be made before this step."""
        return bool(self.pending) and (self.pending[0].at or 0) <= step

    def make(self, settings: TrainSettings, events: Events, *, step: int) -> TrainSettings:
        """The settings from this step on; each swap is noted."""
        while self.is_due(step):
            swap = self.pending.pop(0)
            try:
                found = with_swap(settings, swap.overrides)
            except SettingsError as error:
                logger.warning("the swap at step %d is refused: %s", step, error)
                events.append("swap_refused", step=step, reason=str(error))
                continue
            is_fresh = found.optimizer.name != settings.optimizer.name
            is_known = any(
                one["kind"] == SWAP and one["sha"] == swap.sha256 for one in events.events
            )
            if not is_known:
                events.append(
                    SWAP, step=step, overrides=list(swap.overrides), sha=swap.sha256, run=swap.run,
                    at=swap.at, rewarm_steps=swap.rewarm_steps, fresh_optimizer=is_fresh,
                )  # fmt: skip
            logger.info("step %d: swapped %s", step, ", ".join(swap.overrides))
            settings = found
        return settings


def swaps_of_run(output: Path) -> list[Event]:
    """The swaps that a run has made, by its events."""
    path = output / EVENTS_NAME
    events = read_events(path) if path.is_file() else []
    return [event for event in events if event["kind"] == SWAP]
