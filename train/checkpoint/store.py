"""Checkpoint folders: written aside, renamed when whole, a pointer to the last good one, retention.

A folder holds `weights/` (torch.distributed.checkpoint: model and optimizer by logical name, so any
parallel strategy can load what any other wrote, with an index of our own) and `state.json` (cursor, seeds,
settings, environment, manifest). A folder that ends in `.incomplete` is the remains of a broken save.
"""

from __future__ import annotations

import logging
import shutil
import warnings
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch.distributed as dist
from torch.distributed import ProcessGroup
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.staging import BlockingAsyncStager
from torch.distributed.checkpoint.state_dict_loader import load as load_distributed
from torch.distributed.checkpoint.state_dict_saver import async_save
from torch.distributed.checkpoint.state_dict_saver import save as save_distributed

from schemas.errors import ContractError, PipelineError
from schemas.fingerprints import sha256_file
from train.checkpoint.branch import Branch
from train.checkpoint.config import CheckpointConfig
from train.checkpoint.durable import ASIDE, replace_text
from train.checkpoint.index import INDEX_NAME, WEIGHTS_NAME, CheckpointDamageError, read_index
from train.checkpoint.pointer import LATEST_NAME, latest_checkpoint
from train.checkpoint.state_file import index_sha256, write_state
from train.checkpoint.storage import PlainPlanner, VerifiedReader, VerifiedWriter
from train.distributed.world import World

logger = logging.getLogger(__name__)

# A run of one process has no process group, and torch warns about that at every save.
warnings.filterwarnings("ignore", message="torch.distributed is disabled", category=UserWarning)


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

    A save that the disk refuses is noted, and the run goes on: the next save is the next attempt. After
    `max_failed_saves` in a row the run ends. All ranks learn of a failure in `finish`, together.

    Attributes:
        failed: Number of saves in a row that failed.
    """

    folder: Path
    config: CheckpointConfig
    world: World
    failed: int = 0
    branch: Branch = field(init=False)
    _pending: _Pending | None = None
    _is_open: bool = False  # whether a save has begun whose outcome the ranks do not yet share
    _group: ProcessGroup | None = None

    def __post_init__(self) -> None:
        self.branch = Branch(self.folder)

    def path(self, step: int) -> Path:
        """Where the checkpoint after `step` updates lies."""
        return self.folder / f"step-{step:08d}"

    def save(self, step: int, tensors: dict[str, Any], state: dict[str, Any]) -> Path:
        """Write a checkpoint; all ranks call it.

        It is complete on return, or, where saves are asynchronous, after the next `finish`.

        Raises:
            PipelineError: Too many saves in a row have failed.
        """
        self.finish()
        target = self.path(step)
        weights = _aside(target) / WEIGHTS_NAME
        if self._agree(step, self._make_folder(weights)):
            return target
        alone = self.world.size == 1
        if self.config.asynchronous:
            done = async_save(
                tensors,
                storage_writer=VerifiedWriter(weights),
                planner=PlainPlanner(),
                async_stager=BlockingAsyncStager(),
                process_group=None if alone else self._own_group(),
                no_dist=alone,
            )
            assert isinstance(done, Future)
        else:
            done = Future()
            try:
                save_distributed(
                    tensors,
                    storage_writer=VerifiedWriter(weights),
                    planner=PlainPlanner(),
                    no_dist=alone,
                )
                done.set_result(None)
            except (CheckpointException, OSError) as error:
                done.set_exception(error)
        self._pending, self._is_open = _Pending(step=step, done=done, state=state), True
        if not self.config.asynchronous:
            self.finish()
        return target

    def poll(self) -> None:
        """Publish a save that has been written meanwhile; costs nothing, talks to no rank."""
        pending = self._pending
        if not self.world.is_first or pending is None or not pending.done.done():
            return
        if pending.done.exception() is None and self._publish(pending) is None:
            self._pending = None

    def abandon(self) -> None:
        """Forget a save that a lost rank takes part in; one that all ranks have written is published."""
        self.poll()
        self._pending, self._is_open, self._group = None, False, None

    def take_on(self) -> None:
        """Publish from here on: the first rank, which did, is lost."""
        latest = self.latest()
        if latest is not None:
            self.branch.begin(latest)

    def finish(self) -> None:
        """Wait until the last save is published, or known to have failed; all ranks call it.

        Raises:
            PipelineError: Too many saves in a row have failed.
        """
        pending, self._pending = self._pending, None
        error = None
        if pending is not None:
            error = _disk_error(pending.done.exception()) or self._publish(pending)
        has_failed = self._agree(pending.step if pending else -1, error)
        if self._is_open and not has_failed:
            self.failed = 0
        self._is_open = False

    def _agree(self, step: int, error: OSError | None) -> bool:
        """Whether a save failed on any rank; all ranks call it."""
        if not self.world.any(error is not None):
            return False
        self.failed += 1
        latest = self.latest()
        report = ""
        if self.world.is_first:
            shutil.rmtree(_aside(self.path(step)), ignore_errors=True)  # what it took is free again
            reason = error.strerror if error is not None else "another rank could not write"
            good = f"the last good one is {latest}" if latest else "there is none before it"
            report = f"{self.path(step)}: the checkpoint could not be written: {reason}; {good}"
        if self.failed >= self.config.max_failed_saves:
            tries = f" ({self.failed} saves in a row failed; free space and run the same command)"
            raise PipelineError(report and report + tries) from error
        if self.world.is_first:
            logger.warning("%s; the run goes on, the next save is the next attempt", report)
        return True

    def _make_folder(self, weights: Path) -> OSError | None:
        error = None
        if self.world.is_first:
            try:
                shutil.rmtree(weights.parent, ignore_errors=True)
                weights.mkdir(parents=True)
            except OSError as refused:
                error = refused
        return error

    def _publish(self, pending: _Pending) -> OSError | None:
        """Give a written save its name; only the first rank does."""
        if not self.world.is_first:
            return None
        target = self.path(pending.step)
        aside = _aside(target)
        try:
            index = sha256_file(aside / WEIGHTS_NAME / INDEX_NAME)
            write_state(aside, {**pending.state, "parent": self.branch.newest}, index_sha256=index)
            if target.exists():
                shutil.rmtree(target)
            aside.rename(target)
            replace_text(self.folder / LATEST_NAME, target.name)
        except OSError as error:
            return error
        self.branch.grow(target.name)
        self.branch.retire(self.config)
        return None

    def _own_group(self) -> ProcessGroup:
        if self._group is None:
            self._group = dist.new_group(backend="gloo")
        return self._group

    def latest(self) -> Path | None:
        """Folder of the newest checkpoint that is complete; None where there is none."""
        return latest_checkpoint(self.folder)


def _disk_error(error: BaseException | None) -> OSError | None:
    """The refusal of the disk behind the failure of a save; other failures are raised."""
    if isinstance(error, CheckpointException):
        causes: list[BaseException] = [cause for cause, _ in error.failures.values()]
    else:
        causes = [] if error is None else [error]
    refused = next((cause for cause in causes if isinstance(cause, OSError)), None)
    if refused is None and error is not None:
        raise error
    return refused


def load_tensors(path: Path, tensors: dict[str, Any], *, world_size: int) -> None:
    """Fill tensors in place, whatever parallel strategy wrote them; each rank verifies what it reads.

    Raises:
        ContractError: A tensor is missing, misshapen, or its file is damaged.
    """
    weights = path / WEIGHTS_NAME
    reader = VerifiedReader(weights, read_index(weights, sha256=index_sha256(path)))
    try:
        load_distributed(tensors, storage_reader=reader, no_dist=world_size == 1)
    except CheckpointException as error:
        causes: list[BaseException] = [cause for cause, _ in error.failures.values()]
        damage = next((one for one in causes if isinstance(one, CheckpointDamageError)), None)
        raise damage or ContractError(f"{path}: weights cannot be loaded: {causes[0]}") from error
    except CheckpointDamageError:
        raise
    except (RuntimeError, ValueError, OSError) as error:
        raise ContractError(f"{path}: weights cannot be loaded: {error}") from error


def _aside(target: Path) -> Path:
    return target.with_name(target.name + ASIDE)
