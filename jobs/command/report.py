"""`refinery report OUTPUT`: write the page and its JSON twin again from published tables."""

from __future__ import annotations

import argparse
import sys

from jobs.pipeline.arguments import output_named
from refinery.datasets.runs import open_run
from refinery.publish import storage
from refinery.publish.fetched import input_path
from refinery.report.write import PAGE, write_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "output", metavar="RUN", type=output_named, help="its recipe, or its output"
    )
    parser.add_argument(
        "--previous", type=input_path, metavar="REPORT.json", help="an earlier run to compare with"
    )


def run(args: argparse.Namespace) -> int:
    """Write both files, and print the path of the page."""
    run = open_run(args.output)
    data = write_report(run, args.previous)
    if data.stages_missing:
        print(
            f"not finished: {', '.join(data.stages_missing)} published nothing yet", file=sys.stderr
        )
    print(storage.join_uri(args.output, "report", PAGE))
    return 0
