"""The state of a run after any number of its steps, by replay from a checkpoint; nothing is written.

In the layout that trained the run a replayed step has the bits that it had. Other numbers of ranks or threads give other
last bits, except with `parallel.reduction: tree`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import ContractError, SettingsError
from train.checkpoint.branch import ancestry
from train.checkpoint.pointer import step_of
from train.distributed.world import World
from train.loop.interventions import SWAP
from train.loop.open_run import TrainingRun, open_run
from train.loop.swap_settings import knows_its_step
from train.loop.swaps import SwapQueue, swaps_of_run
from train.loop.trainer import StepOutcome
from train.report.events import EVENTS_NAME, NoEvents, read_events
from train.settings import TrainSettings


@dataclass(kw_only=True)
class Replay:
    """A run that is looked at again.

    Attributes:
        run: The run, with a trainer of its own.
        checkpoints: Its checkpoints, oldest first.
    """

    run: TrainingRun
    checkpoints: list[Path]

    @property
    def step(self) -> int:
        """Number of updates that the weights have seen."""
        return self.run.trainer.step

    def go_to(self, step: int) -> Path:
        """Load the newest checkpoint of at most so many steps, and train on to that step.

        Returns:
            The checkpoint.

        Raises:
            ContractError: There is none so early.
        """
        path = self.load(step)
        for _ in self.outcomes(step):
            pass
        return path

    def load(self, step: int) -> Path:
        """Load the newest checkpoint of at most so many steps.

        Raises:
            ContractError: There is none so early.
        """
        fitting = [path for path in self.checkpoints if step_of(path) <= step]
        if not fitting:
            kept = ", ".join(str(step_of(path)) for path in self.checkpoints) or "none"
            raise ContractError(
                f"{self.run.store.folder}: no checkpoint of step {step} or earlier; there are: {kept} "
                "(checkpoint.keep_every_steps keeps some for ever)"
            )
        self.run.checkpoints.load(fitting[-1])
        return fitting[-1]

    def outcomes(self, until: int) -> Iterator[StepOutcome]:
        """Train on to a step; what each update did."""
        trainer = self.run.trainer
        while trainer.step < until:
            with self.run.rows.stream(
                trainer.plan, trainer.strategy.share, start_step=trainer.step
            ) as stream:
                plan = trainer.plan
                while trainer.step < until and trainer.plan is plan:
                    yield trainer.update(stream.of_step, stop_asked=False)


@contextmanager
def open_replay(settings: TrainSettings, world: World) -> Iterator[Replay]:
    """Open a run that has checkpoints, to look at it again.

    Raises:
        SettingsError: Its kind cannot be replayed.
        ContractError: It has no checkpoint.
    """
    if settings.asynchronous is not None or settings.diloco is not None:
        raise SettingsError("replays need ranks that take every step together")
    output = Path(settings.output)
    noted = world.tell(swaps_of_run(output) if world.is_first else None)
    made = [event for event in noted if event["kind"] == SWAP]
    settings = SwapQueue(output=output).replay(settings, made, step=sys.maxsize)
    run = open_run(settings.model_copy(update={"evaluation": None}), world)
    events, path = NoEvents(), output / EVENTS_NAME
    if world.is_first and path.is_file():
        events.events = read_events(path)  # what was decided since a checkpoint stands there
    run.events = events
    if run.trainer.guard is not None:
        run.trainer.guard.events = run.events
    newest = run.store.latest()
    if newest is None:
        raise ContractError(f"{run.store.folder}: no checkpoint to replay from")
    # Before the last swap of these the run had other settings than it is opened with; batch, mixture and
    # activation know their steps.
    since = max((event["step"] for event in made if not knows_its_step(event)), default=0)
    kept = [path for path in ancestry(newest)[::-1] if step_of(path) >= since]
    yield Replay(run=run, checkpoints=kept)
