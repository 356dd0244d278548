"""Checkpoint folders: written aside, renamed when whole, a pointer to the last good one, retention.

A folder holds `weights/` (torch.distributed.checkpoint: model and optimizer by logical name, so any
parallel strategy can load what any other wrote) and `state.json` (cursor, seeds, settings, environment,
manifest). A folder that ends in `.incomplete` is the remains of a broken save.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import warnings
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.distributed as dist
from torch.distributed import ProcessGroup
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_loader import load as load_distributed
from torch.distributed.checkpoint.state_dict_saver import async_save
from torch.distributed.checkpoint.state_dict_saver import save as save_distributed

from schemas.errors import ContractError
from train.aliases import with_current_keys, with_current_model_keys
from train.checkpoint.config import CheckpointConfig
from train.checkpoint.pointer import (
    LATEST_NAME,
    STATE_NAME,
    latest_checkpoint,
    step_of,
    whole_checkpoints,
)
from train.distributed.world import World

logger = logging.getLogger(__name__)

# A run of one process has no process group, and torch warns about that at every save.
warnings.filterwarnings("ignore", message="torch.distributed is disabled", category=UserWarning)

FORMAT_VERSION = 1
_WEIGHTS, _ASIDE = "weights", ".incomplete"


@dataclass(frozen=True, kw_only=True)
class _Pending:
    """A save whose files are being written by a thread."""

    step: int
    done: Future[Any]
    state: dict[str, Any]


@dataclass(kw_only=True)
class CheckpointStore:
    """The checkpoints of one run.

    An asynchronous save copies the tensors, then writes from a thread, with collectives in a
    process group of its own. The first rank's part of it ends when all ranks have written, so it
    alone can then rename the folder: no rank waits for another.
    """

    folder: Path
    config: CheckpointConfig
    world: World
    _pending: _Pending | None = None
    _group: ProcessGroup | None = None

    def path(self, step: int) -> Path:
        """Where the checkpoint after `step` updates lies."""
        return self.folder / f"step-{step:08d}"

    def save(self, step: int, tensors: dict[str, Any], state: dict[str, Any]) -> Path:
        """Write a checkpoint; all ranks call it.

        It is complete on return, or, where saves are asynchronous, after the next `finish`.
        """
        self.finish()
        target = self.path(step)
        aside = _aside(target)
        if self.world.is_first:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
        self.world.barrier()
        alone = self.world.size == 1
        if self.config.asynchronous:
            done = async_save(
                tensors,
                checkpoint_id=aside / _WEIGHTS,
                process_group=None if alone else self._own_group(),
                no_dist=alone,
            )
            assert isinstance(done, Future)
            self._pending = _Pending(step=step, done=done, state=state)
            return target
        save_distributed(tensors, checkpoint_id=aside / _WEIGHTS, no_dist=alone)
        self._publish(step, state)
        self.world.barrier()
        return target

    def poll(self) -> None:
        """Publish a save that has been written meanwhile; costs nothing, talks to no rank."""
        pending = self._pending
        if self.world.is_first and pending is not None and pending.done.done():
            self._complete(pending)

    def finish(self) -> None:
        """Wait until the last save is published; all ranks call it."""
        if self._pending is not None:
            self._complete(self._pending)
        self.world.barrier()

    def _complete(self, pending: _Pending) -> None:
        pending.done.result()
        self._pending = None
        self._publish(pending.step, pending.state)

    def _publish(self, step: int, state: dict[str, Any]) -> None:
        if not self.world.is_first:
            return
        target = self.path(step)
        aside = _aside(target)
        _write_json(aside / STATE_NAME, {"format_version": FORMAT_VERSION, **state})
        if target.exists():
            shutil.rmtree(target)
        aside.rename(target)
        _replace_text(self.folder / LATEST_NAME, target.name)
        self._retire(step)

    def _own_group(self) -> ProcessGroup:
        if self._group is None:
            self._group = dist.new_group(backend="gloo")
        return self._group

    def latest(self) -> Path | None:
        """Folder of the newest checkpoint that is complete; None where there is none."""
        return latest_checkpoint(self.folder)

    def _retire(self, newest: int) -> None:
        every = self.config.keep_every_steps
        for path in whole_checkpoints(self.folder)[: -self.config.keep_last]:
            step = step_of(path)
            if step != newest and not (every is not None and step % every == 0):
                shutil.rmtree(path)


def read_state(path: Path) -> dict[str, Any]:
    """The `state.json` of a checkpoint.

    Raises:
        ContractError: It is no checkpoint, or one of another format.
    """
    try:
        state: dict[str, Any] = json.loads((path / STATE_NAME).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise ContractError(f"{path}: no checkpoint there ({error})") from error
    if state.get("format_version") != FORMAT_VERSION:
        raise ContractError(
            f"{path}: format {state.get('format_version')}, expected {FORMAT_VERSION}"
        )
    return _with_current_names(state)


def _with_current_names(state: dict[str, Any]) -> dict[str, Any]:
    """Give what an earlier version stored of settings and model the names of this version."""
    identity = with_current_keys(state["identity"])
    if isinstance(identity.get("model"), dict):
        identity["model"] = with_current_model_keys(identity["model"])
    settings = with_current_keys(state.get("settings", {}))
    return {**state, "identity": identity, "settings": settings}


def load_tensors(path: Path, tensors: dict[str, Any], *, world_size: int) -> None:
    """Fill tensors in place, whatever parallel strategy wrote them.

    Raises:
        ContractError: A tensor is missing, misshapen, or its file is damaged.
    """
    try:
        load_distributed(tensors, checkpoint_id=path / _WEIGHTS, no_dist=world_size == 1)
    except (CheckpointException, RuntimeError, ValueError, OSError, EOFError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else repr(error)
        raise ContractError(f"{path}: weights cannot be loaded: {reason}") from error


def refuse_other_run(
    path: Path, state: dict[str, Any], expected: dict[str, Any], *, accepted: Sequence[str] = ()
) -> list[str]:
    """Compare what must be equal for a resumed run to be the same run.

    Args:
        path: Folder of the checkpoint, for messages.
        state: What the checkpoint's state.json holds.
        expected: The identity of this run.
        accepted: Names of identity entries that may differ.

    Returns:
        One sentence for each difference that is accepted.

    Raises:
        ContractError: Another manifest, tokenizer or model; it names both sides of each difference.
    """
    stored = state["identity"]
    faults = [
        f"{key} is {json.dumps(stored.get(key))} in the checkpoint, {json.dumps(value)} here"
        for key, value in expected.items()
        if key in stored and stored[key] != value
    ]
    allowed = [fault for fault in faults if fault.split(" ", 1)[0] in accepted]
    faults = [fault for fault in faults if fault not in allowed]
    if faults:
        raise ContractError(f"{path}: is of another run: " + "; ".join(faults))
    return allowed


def _aside(target: Path) -> Path:
    return target.with_name(target.name + _ASIDE)


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _replace_text(path: Path, text: str) -> None:
    aside = path.with_name(path.name + _ASIDE)
    aside.write_text(text + "\n", encoding="utf-8")
    aside.replace(path)
