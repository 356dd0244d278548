"""Go back from a damaged checkpoint to the newest one before it that is whole."""

from __future__ import annotations

import logging
from pathlib import Path

from schemas.errors import ContractError
from train.checkpoint.branch import ancestry
from train.checkpoint.durable import replace_text
from train.checkpoint.pointer import LATEST_NAME, latest_checkpoint
from train.checkpoint.state_file import verify_checkpoint
from train.distributed.world import World

logger = logging.getLogger(__name__)


def go_back_to_last_good(folder: Path, world: World) -> Path | None:
    """Let a run's folder of checkpoints point to the newest that is whole; all ranks call it.

    Each rank reads and verifies its share.

    Returns:
        The checkpoint; None where the folder has none at all.

    Raises:
        ContractError: None of them is whole.
    """
    newest = latest_checkpoint(folder)
    if newest is None:
        return None
    for path in ancestry(newest):
        damage = _damage(path, share=(world.rank, world.size))
        if damage is not None:
            logger.warning("%s", damage)
        if world.any(damage is not None):
            continue
        if path != newest and world.is_first:
            replace_text(folder / LATEST_NAME, path.name)
            logger.warning("%s: damaged; going back to %s", newest, path)
        world.barrier()
        return path
    raise ContractError(f"{folder}: no checkpoint is whole; start anew in another folder")


def _damage(path: Path, *, share: tuple[int, int]) -> str | None:
    try:
        verify_checkpoint(path, share=share)
    except ContractError as error:
        return str(error)
    return None
