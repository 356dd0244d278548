"""`refinery report OUTPUT`: write the page and its JSON twin again from published tables."""

from __future__ import annotations

import argparse
from pathlib import Path

from refinery.publish import storage
from refinery.report.write import PAGE, run_records, write_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", help="the run's runtime.output")
    parser.add_argument(
        "--previous", type=Path, metavar="REPORT.json", help="an earlier run to compare with"
    )


def run(args: argparse.Namespace) -> int:
    """Write both files, and print the path of the page."""
    store, records = run_records(args.output)
    write_report(args.output, store, records, args.previous)
    print(storage.join_uri(args.output, "report", PAGE))
    return 0
