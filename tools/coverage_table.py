"""Branch coverage by package, from what `coverage combine` left.

python -m tools.coverage_table 90     fails where refinery, train, schemas and pages together are below 90 %
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from coverage import Coverage

from schemas.errors import QualityGateError, run_main

# `jobs` is printed but not bounded: what its scripts do, Spark's own processes do.
BOUNDED = ("refinery", "train", "schemas", "pages")
COUNTS = ("num_statements", "covered_lines", "num_branches", "covered_branches")


def covered_fraction(counts: Counter[str]) -> float:
    """Lines and branches that ran, of all that there are."""
    wanted = counts["num_statements"] + counts["num_branches"]
    return (counts["covered_lines"] + counts["covered_branches"]) / max(wanted, 1)


def counts_by_package(report: dict[str, Any]) -> dict[str, Counter[str]]:
    """The counts of `coverage json`, summed by package of the second level, such as `train/loop`."""
    by_package: dict[str, Counter[str]] = {}
    for path, entry in report["files"].items():
        parts = Path(path).parent.parts[:2]
        counts = by_package.setdefault("/".join(parts), Counter())
        counts.update({name: entry["summary"][name] for name in COUNTS})
    return dict(sorted(by_package.items()))


def table(by_package: dict[str, Counter[str]]) -> list[str]:
    """One line per package, then one for each of the four roots."""
    roots: dict[str, Counter[str]] = {}
    for package, counts in by_package.items():
        roots.setdefault(package.split("/")[0], Counter()).update(counts)
    lines = [f"{'package':<28}{'lines':>8}{'branches':>10}{'missed':>8}{'covered':>9}"]
    return lines + [_line(name, counts) for name, counts in [*by_package.items(), *roots.items()]]


def _line(name: str, counts: Counter[str]) -> str:
    missed = counts["num_branches"] - counts["covered_branches"]
    missed += counts["num_statements"] - counts["covered_lines"]
    return (
        f"{name:<28}{counts['num_statements']:>8}{counts['num_branches']:>10}{missed:>8}"
        f"{covered_fraction(counts):>9.1%}"
    )


def main(argv: list[str]) -> int:
    """Print the table and hold the bound that the argument names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("percent", type=int, help="least share of lines and branches")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        measured = Coverage()
        measured.load()
        measured.json_report(outfile=f"{folder}/coverage.json")
        report = json.loads(Path(folder, "coverage.json").read_bytes())
    by_package = counts_by_package(report)
    print("\n".join(table(by_package)))
    bounded: Counter[str] = Counter()
    for package, counts in by_package.items():
        if package.split("/")[0] in BOUNDED:
            bounded.update(counts)
    print(_line("together: " + ", ".join(BOUNDED), bounded))
    if covered_fraction(bounded) < args.percent / 100:
        raise QualityGateError(
            f"{covered_fraction(bounded):.1%} covered, {args.percent} % is asked for"
        )
    return 0


if __name__ == "__main__":
    run_main(main)
