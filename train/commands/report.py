"""`train report RUN [RUN ...]`: one offline page with the curves of a run, or of several together."""

from __future__ import annotations

import argparse
from pathlib import Path

from schemas.errors import SettingsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN", help="output folder of a run")
    parser.add_argument("--run", type=Path, help="the same, as an option")
    parser.add_argument(
        "--out",
        type=Path,
        help="file of the page; by default report.html in the run's folder, comparison.html here "
        "for several runs",
    )


def run(args: argparse.Namespace) -> int:
    """Write the page; a run that goes on is drawn as far as it is."""
    from train.report.comparison import COMPARISON_NAME, write_comparison
    from train.report.page import REPORT_NAME, write_report

    folders = [*([args.run] if args.run is not None else []), *args.runs]
    if not folders:
        raise SettingsError("train report: name the output folder of a run, or of several")
    if len(folders) > 1:
        print(write_comparison(folders, args.out or Path(COMPARISON_NAME)))
    else:
        print(write_report(folders[0], args.out or folders[0] / REPORT_NAME))
    return 0
