"""`train upgrade`: give checkpoints of version 0.2 an index that is no pickle, and checksums."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from schemas.errors import ContractError
from train.checkpoint.pointer import CHECKPOINTS_NAME, STATE_NAME, whole_checkpoints


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, help="a run, or one of its checkpoints")


def run(args: argparse.Namespace) -> int:
    """Upgrade a checkpoint, or all of a run's that are old; their weights stay as they are."""
    from train.checkpoint.state_file import PICKLED_VERSION
    from train.checkpoint.upgrade import upgrade_checkpoint

    path: Path = args.path
    if (path / STATE_NAME).is_file():
        paths = [path]
    else:
        found = [*whole_checkpoints(path / CHECKPOINTS_NAME), *whole_checkpoints(path)]
        paths = [one for one in found if _format(one) == PICKLED_VERSION]
    if not paths:
        raise ContractError(f"{path}: no checkpoint of format {PICKLED_VERSION} there")
    for one in paths:
        upgrade_checkpoint(one)
        print(f"upgraded: {one}")
    return 0


def _format(path: Path) -> object:
    try:
        state = json.loads((path / STATE_NAME).read_bytes())
    except ValueError:
        return None
    return state.get("format_version") if isinstance(state, dict) else None
