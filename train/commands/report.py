"""`train report --run FOLDER`: one offline page with the curves of a run."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", type=Path, required=True, help="output folder of a run")


def run(args: argparse.Namespace) -> int:
    """Write the page; a run that goes on is drawn as far as it is."""
    from train.report.page import write_report

    print(write_report(args.run))
    return 0
