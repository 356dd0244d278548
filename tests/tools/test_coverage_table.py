"""Coverage by package: counted as coverage.py counts, bounded where it is promised."""

from __future__ import annotations

from collections import Counter

import pytest

from tools.coverage_table import counts_by_package, covered_fraction, table


def entry(*counts: int) -> dict[str, dict[str, int]]:
    names = ("num_statements", "covered_lines", "num_branches", "covered_branches")
    return {"summary": dict(zip(names, counts, strict=True))}


REPORT = {
    "files": {
        "train/settings.py": entry(10, 10, 0, 0),
        "train/loop/run.py": entry(20, 10, 10, 5),
        "train/loop/deep/er.py": entry(5, 5, 0, 0),
        "jobs/refine.py": entry(4, 1, 0, 0),
    }
}


def test_files_are_summed_by_package() -> None:
    found = counts_by_package(REPORT)

    assert list(found) == ["jobs", "train", "train/loop"]
    assert found["train/loop"]["num_statements"] == 25


def test_lines_and_branches_count_alike() -> None:
    counts = Counter(num_statements=20, covered_lines=10, num_branches=10, covered_branches=5)

    assert covered_fraction(counts) == pytest.approx(0.5)


def test_the_table_ends_with_the_roots() -> None:
    lines = table(counts_by_package(REPORT))

    assert [line.split()[0] for line in lines] == [
        "package", "jobs", "train", "train/loop", "jobs", "train"
    ]  # fmt: skip
    assert lines[-1].split() == ["train", "35", "10", "15", "66.7%"]
