"""`refinery gate REPORT.json --max-drop 0.5 ...`: exit 4 where a run is beyond bounds."""

from __future__ import annotations

import argparse

from jobs.pipeline.arguments import report_named
from refinery.report.data import ReportData
from refinery.report.write import read_report
from schemas.errors import QualityGateError, SettingsError

SHARES = {
    "drop": "dropped",
    "duplicate": "duplicate",
    "contaminated": "contaminated",
    "rejected": "rejected",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "report", type=report_named, metavar="REPORT.json", help="or the run's recipe"
    )
    for name in SHARES:
        parser.add_argument(
            f"--max-{name}", type=_share, metavar="SHARE", help="of all documents, 0..1"
        )
    parser.add_argument("--min-kept", type=int, metavar="DOCUMENTS")
    parser.add_argument("--min-tokens", type=int, metavar="TOKENS", help="packed training tokens")
    parser.add_argument(
        "--min-recall",
        type=_share,
        metavar="SHARE",
        help="of verbatim benchmark items, self-measured",
    )


def _share(text: str) -> float:
    """A number from 0 to 1: `50` for half would pass every run."""
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0 to 1, got '{text}'")
    return share


def run(args: argparse.Namespace) -> int:
    """Check every bound that was given; all that fail are named."""
    report = read_report(args.report)
    failures, checked = _failures(report, args)
    if not checked:
        raise SettingsError("no bound was given; see refinery gate --help")
    if failures:
        raise QualityGateError(f"{args.report}: " + "; ".join(failures))
    print(f"{args.report}: {checked} {'bound holds' if checked == 1 else 'bounds hold'}")
    return 0


def _failures(report: ReportData, args: argparse.Namespace) -> tuple[list[str], int]:
    failures, checked = [], 0
    documents = max(1, report.total("documents"))
    for name, column in SHARES.items():
        most = getattr(args, f"max_{name}")
        if most is not None:
            checked += 1
            share = report.total(column) / documents
            if column == "rejected":  # what a reader gave up never became a document
                unreadable = report.total("unreadable")
                share = (report.total(column) + unreadable) / (documents + unreadable)
            if share > most:
                failures.append(f"{column} {share:.2%}, at most {most:.2%}")
    recall = None
    if report.contamination is not None and report.contamination.recall.get("verbatim", (0, 0))[1]:
        found, planted = report.contamination.recall["verbatim"]
        recall = found / planted
    packing = report.packing.get("train")  # none before the run has come to its end
    least = (
        ("kept documents", report.total("kept"), args.min_kept),
        ("training tokens", packing.packed if packing is not None else None, args.min_tokens),
        ("recall of verbatim items", recall, args.min_recall),
    )
    for name, value, bound in least:
        if bound is not None:
            checked += 1
            if value is None or value < bound:
                shown = "was not measured" if value is None else f"{value:,}"
                failures.append(f"{name} {shown}, at least {bound:,}")
    return failures, checked
