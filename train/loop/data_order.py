"""Which order of the data a run has: that with which it began."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import ContractError
from train.checkpoint.pointer import CHECKPOINTS_NAME, find_checkpoint, latest_checkpoint
from train.checkpoint.state_file import read_state
from train.data.cursor import DataOrder
from train.settings import TrainSettings


def order_of_run(settings: TrainSettings) -> DataOrder:
    """The order of the run's checkpoint, or of the phase that it goes on from; else that of new runs.

    Raises:
        ContractError: The checkpoint is damaged.
    """
    path = latest_checkpoint(Path(settings.output) / CHECKPOINTS_NAME)
    if path is None and settings.first_sample and settings.warm_start is not None:
        path = _checkpoint_or_none(Path(settings.warm_start.source))
    if path is None:
        return "by_seed"
    # Versions before the entry had one order only.
    order: DataOrder = read_state(path)["identity"].get("order", "by_shard")
    return order


def _checkpoint_or_none(path: Path) -> Path | None:
    try:
        return find_checkpoint(path)
    except ContractError:
        return None  # a published model, or a preset: nothing of the data was read before
