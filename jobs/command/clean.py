"""`refinery clean RUN [--keep-latest]`: remove attempts that no published stage names, and old stages."""

from __future__ import annotations

import argparse

from jobs.pipeline.arguments import add_run_arguments, named_run
from refinery.datasets.runs import read_manifest_of
from refinery.publish import storage
from refinery.publish.retention import Surplus, attempts_without_record, remove, superseded
from refinery.publish.runs import RunStages, registered_runs, stages_of
from schemas.errors import SettingsError

# An attempt of a living run on an object store is younger than its longest pause between files.
STORE_HOURS = 24.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser)
    parser.add_argument(
        "--keep-latest",
        action="store_true",
        help="also remove published stages that no output's last run was made of",
    )
    parser.add_argument(
        "--older-than",
        type=float,
        metavar="HOURS",
        help="leave younger attempts of unfinished runs alone (default: 24 on object stores, where no "
        "lock says whether a run lives; 0 on local disks)",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed")


def _kept(own: RunStages) -> set[tuple[str, str]]:
    """What this run is made of, and the datasets of all outputs that use its tables."""
    kept = set(own.newest().items())
    outputs = [run.output for run in registered_runs(own.store).values()]
    for manifest in map(read_manifest_of, [own.output, *outputs]):
        if manifest is not None:
            kept |= {(one.stage, one.fingerprint) for one in manifest.stages}
            kept.add(("pack", manifest.recipe_fingerprint))
    return kept


def run(args: argparse.Namespace) -> int:
    """Take the tables' lock, so that a living run keeps its attempt, and remove the rest."""
    run_stages = stages_of(named_run(args).runtime.output)
    store = run_stages.store
    if not storage.exists(store.root):
        raise SettingsError(f"{store.root}: no tables there")
    is_local = storage.is_local(store.root)
    hours = args.older_than if args.older_than is not None else 0.0 if is_local else STORE_HOURS
    with store.alone():
        old = superseded(store, _kept(run_stages)) if args.keep_latest else []
        folders = attempts_without_record(store, old, age_hours=hours)
        if not args.dry_run:
            remove(store, Surplus(tuple(old), tuple(folders)))
    verb = "would be removed" if args.dry_run else "removed"
    for record in old:
        print(f"{verb} {record.stage} {record.fingerprint[:12]} of {record.started_at}")
    for folder in folders:
        print(f"{verb} {folder}")
    print(f"{len(folders)} attempts {verb}")
    return 0
