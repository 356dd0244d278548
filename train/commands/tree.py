"""`train tree RUN`: checkpoints and branches of a run, and what changed from each to the next."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from train.commands.arguments import existing_folder
from train.settings import differing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=existing_folder, metavar="RUN", help="output folder of a run")


def run(args: argparse.Namespace) -> int:
    """Print a line for each checkpoint, and below it what changed."""
    print("\n".join(tree_lines(args.run)))
    return 0


def tree_lines(folder: Path, depth: int = 0) -> list[str]:
    """Lines of a run: a checkpoint each, with what changed since its parent, and its branches below it."""
    from train.checkpoint.pointer import (
        CHECKPOINTS_NAME,
        latest_checkpoint,
        step_of,
        whole_checkpoints,
    )
    from train.checkpoint.state_file import read_state

    checkpoints = folder / CHECKPOINTS_NAME
    latest = latest_checkpoint(checkpoints)
    states = {path.name: read_state(path) for path in whole_checkpoints(checkpoints)}
    branches = _branches(folder)
    indent = "    " * depth
    lines = [f"{indent}{folder}"]
    for path in whole_checkpoints(checkpoints):
        state = states[path.name]
        parent = state.get("parent")
        mark = "  <- goes on from here" if path == latest else ""
        lines.append(f"{indent}  {path.name}{mark}")
        before = states.get(str(parent)) if parent else None
        if before is not None:
            lines += [f"{indent}      {line}" for line in changes(before, state)]
        for branch in branches.get(step_of(path), []):
            if branch.is_dir() and depth < 8:
                lines += tree_lines(branch, depth + 1)
    return lines


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Settings and environment that differ between two checkpoints' states."""
    from train.commands.diff_env import differences

    settings = [
        f"{key}: {old} -> {new}"
        for key, old, new in differing(before.get("settings", {}), now.get("settings", {}))
    ]
    ranks = []
    if before.get("world_size") != now.get("world_size"):
        ranks = [f"ranks: {before.get('world_size')} -> {now.get('world_size')}"]
    return settings + ranks + differences(before["environment"], now["environment"])


def _branches(folder: Path) -> dict[int, list[Path]]:
    """Folders of the branches of a run, by the step at which they leave it."""
    from train.report.events import EVENTS_NAME, read_events

    path = folder / EVENTS_NAME
    found: dict[int, list[Path]] = {}
    for event in read_events(path) if path.is_file() else []:
        if event["kind"] == "branched":
            found.setdefault(event["step"], []).append(Path(event["branch"]))
    return found
