"""`refinery clean OUTPUT`: remove attempts that no published stage names."""

from __future__ import annotations

import argparse

from refinery.publish import storage
from refinery.publish.store import Store
from schemas.errors import SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", help="the run's runtime.output")


def run(args: argparse.Namespace) -> int:
    """Take the run's lock, so that a living run keeps its attempt, and remove the rest."""
    root = storage.join_uri(args.output, "tables")
    if not storage.is_local(root):
        raise SettingsError(f"{root}: on object stores, remove attempts with the store's own tools")
    if not storage.exists(root):
        raise SettingsError(f"{root}: no tables there")
    store = Store(root)
    with store.lock() as removed:
        for path in removed:
            print(f"removed {path}")
    print(f"{len(removed)} attempts removed")
    return 0
