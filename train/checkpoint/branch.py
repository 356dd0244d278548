"""The checkpoints that a run came through, and which of a folder's checkpoints stay.

A run that goes back to an older checkpoint leaves a branch behind, whose steps may be higher than its
own. Each checkpoint names its parent; retention counts along these names, so that what is
trained never gives way to what was left.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from train.checkpoint.config import CheckpointConfig
from train.checkpoint.pointer import STATE_NAME, step_of, whole_checkpoints
from train.checkpoint.state_file import is_whole


class Branch:
    """Names of the checkpoints from which the trained weights descend, oldest first.

    Args:
        folder: Folder of the run's checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: list[str] = []
        self._grown = 0

    @property
    def newest(self) -> str | None:
        """The checkpoint that the next one descends from; None at the start of a run."""
        return self._names[-1] if self._names else None

    def begin(self, checkpoint: Path) -> None:
        """Go on from a checkpoint of the folder."""
        self._names = [path.name for path in reversed(ancestry(checkpoint))]
        self._grown = 0

    def grow(self, name: str) -> None:
        """Add the checkpoint that was just written."""
        self._names = [one for one in self._names if one != name] + [name]
        self._grown += 1

    def retire(self, config: CheckpointConfig) -> None:
        """Delete what the settings do not keep.

        Checkpoints that a branch left behind are deleted as soon as the trained one has `keep_last` that were
        written since.
        """
        whole = whole_checkpoints(self._folder)
        own = [path for name in self._names for path in whole if path.name == name]
        left = [path for path in whole if path not in own]
        every = config.keep_every_steps
        for path in own[: -config.keep_last] + (left if self._grown >= config.keep_last else []):
            if every is None or step_of(path) % every != 0:
                shutil.rmtree(path)


def newest_good_before(checkpoint: Path) -> Path | None:
    """The newest checkpoint that a damaged one descends from and that is whole; None without one."""
    return next((path for path in ancestry(checkpoint)[1:] if is_whole(path)), None)


def ancestry(checkpoint: Path) -> list[Path]:
    """A checkpoint and those that it descends from and that are still there, newest first.

    Version 0.2 wrote no parents: there they are the ones with lower steps.
    """
    found = [checkpoint]
    while True:
        state = _state(found[-1])
        if "parent" not in state:
            earlier = [
                path
                for path in whole_checkpoints(checkpoint.parent)
                if step_of(path) < step_of(found[-1])
            ]
            return found + earlier[::-1]
        parent = state["parent"]
        path = None if parent is None else checkpoint.parent / Path(str(parent)).name
        if path is None or path in found or not (path / STATE_NAME).is_file():
            return found
        found.append(path)


def _state(checkpoint: Path) -> dict[str, object]:
    """What the state says, damaged or not: a name in it is only followed to a folder beside it."""
    try:
        state = json.loads((checkpoint / STATE_NAME).read_bytes())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
