"""Go back to a checkpoint before a spike, within the run."""

from __future__ import annotations

import logging
from pathlib import Path

from train.checkpoint.branch import ancestry
from train.checkpoint.pointer import step_of
from train.checkpoint.state_file import is_whole
from train.loop.guard import Decision
from train.loop.open_run import TrainingRun

logger = logging.getLogger(__name__)


def roll_back(run: TrainingRun, decision: Decision) -> bool:
    """Carry out a decision to go back; all ranks call it.

    Returns:
        Whether the run is now at an earlier step. False for other decisions, and where there is no
        checkpoint: then the update was left out and that is all.
    """
    if decision.action.kind != "roll_back":
        return False
    run.checkpoints.finish()
    wanted = decision.step - decision.action.steps_back
    name = None
    if run.world.is_first:
        chosen = checkpoint_before(run.store.latest(), wanted)
        name = None if chosen is None else chosen.name
    name = run.world.tell(name)
    if name is None:
        logger.warning("step %d: no checkpoint to go back to; its update is left out", wanted)
        run.events.append("no_checkpoint", step=decision.step, wanted_step=wanted)
        return False
    run.trainer.optimizer.zero_grad(set_to_none=True)
    run.checkpoints.go_back(run.store.folder / name, decision.action)
    return True


def checkpoint_before(newest: Path | None, wanted: int) -> Path | None:
    """The newest whole checkpoint of at most `wanted` steps; where there is none, the oldest."""
    if newest is None:
        return None
    every = ancestry(newest)
    fitting = [path for path in every if step_of(path) <= wanted]
    return next((path for path in fitting or every[::-1] if is_whole(path)), None)
