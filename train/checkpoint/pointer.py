"""Find whole checkpoints in a folder; needs no torch."""

from __future__ import annotations

from pathlib import Path

from schemas.errors import ContractError

# Folder of a run's checkpoints, and what lies in it.
CHECKPOINTS_NAME, STATE_NAME, LATEST_NAME = "checkpoints", "state.json", "latest"


def latest_checkpoint(folder: Path) -> Path | None:
    """The last good checkpoint: the pointer's, or the newest whole folder if that is gone."""
    pointer = folder / LATEST_NAME
    if pointer.is_file():
        target = folder / pointer.read_text(encoding="utf-8").strip()
        if (target / STATE_NAME).is_file():
            return target
    whole = whole_checkpoints(folder)
    return whole[-1] if whole else None


def whole_checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first; a folder that a broken save left is not one of them."""
    folders = folder.glob("step-*")
    return sorted(path for path in folders if (path / STATE_NAME).is_file() and step_of(path) >= 0)


def step_of(path: Path) -> int:
    """The step in the name of a checkpoint's folder, -1 where the name holds none."""
    digits = path.name.removeprefix("step-")
    return int(digits) if digits.isdigit() else -1


def find_checkpoint(path: Path) -> Path:
    """The checkpoint that a user means: itself, or the last good one of a run's folder.

    Raises:
        ContractError: The path holds no checkpoint.
    """
    if (path / STATE_NAME).is_file():
        return path
    for folder in (path / CHECKPOINTS_NAME, path):
        latest = latest_checkpoint(folder)
        if latest is not None:
            return latest
    raise ContractError(f"{path}: no checkpoint there, nor in its folder checkpoints/")
