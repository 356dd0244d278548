"""`refinery verify MANIFEST`: exit 0, or 3 naming each shard and what differs in it."""

from __future__ import annotations

import argparse
import sys

from jobs.pipeline.arguments import dataset_named
from refinery.datasets.verify import verify_dataset
from schemas.errors import ContractError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "manifest",
        type=dataset_named,
        help="the run's recipe, its manifest.json, or the folder that holds it; path or URI",
    )
    parser.add_argument("--jobs", type=int, default=1, help="shards read side by side (default 1)")


def run(args: argparse.Namespace) -> int:
    """Check every file and row against the manifest."""
    result = verify_dataset(args.manifest, num_jobs=max(1, args.jobs))
    for difference in result.differences:
        print(difference, file=sys.stderr)
    if result.differences:
        return ContractError.exit_code
    manifest = result.manifest
    print(
        f"{args.manifest}: {result.num_shards} shards, {result.num_rows:,} rows of "
        f"{manifest.seq_len} tokens are as the manifest says; root {manifest.root}"
    )
    return 0
