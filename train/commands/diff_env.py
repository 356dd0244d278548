"""`train diff-env A B`: what differs between the environments of two checkpoints or runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", type=Path, metavar="A", help="a run or one of its checkpoints")
    parser.add_argument("b", type=Path, metavar="B", help="another, or `here` for this machine")


def run(args: argparse.Namespace) -> int:
    """Print one line for each difference; nothing where there is none."""
    for line in differences(_environment(args.a), _environment(args.b)):
        print(line)
    return 0


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Everything that differs: what can change bits first, then commit and variables."""
    from train.checkpoint.environment import changed_environment

    lines = changed_environment(before, now)
    lines += [
        f"{key}: {before.get(key)} -> {now.get(key)}"
        for key in ("commit", "uncommitted_sha256")
        if before.get(key) != now.get(key)
    ]
    old, new = before.get("variables", {}), now.get("variables", {})
    return lines + [
        f"variable {name}: {old.get(name)} -> {new.get(name)}"
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


def _environment(path: Path) -> dict[str, Any]:
    from train.checkpoint.environment import environment_lock
    from train.checkpoint.pointer import find_checkpoint
    from train.checkpoint.state_file import read_state

    if str(path) == "here":
        return environment_lock()
    environment: dict[str, Any] = read_state(find_checkpoint(path))["environment"]
    return environment
