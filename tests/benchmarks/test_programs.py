"""Programs of benchmarks/: each stands in the list that people read."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"


def test_the_readme_lists_every_program_and_every_result() -> None:
    page = (BENCHMARKS / "README.md").read_text("utf-8")
    linked = set(re.findall(r"\]\(([^)]+)\)", page))

    files = {path.relative_to(BENCHMARKS).as_posix() for path in BENCHMARKS.rglob("*.py")}
    named = {f"races/{name}.py" for name in re.findall(r"`(\w+)\.py`", page)} | linked
    modules = {name for name in files if not name.endswith("__init__.py")} - {"record.py"}
    results = {f"results/{path.name}" for path in (BENCHMARKS / "results").glob("*.json")}
    assert modules - named == set()
    assert results - linked == set()
    assert [link for link in linked if not (BENCHMARKS / link).exists()] == []


def test_every_result_says_when_and_of_which_commit_it_is() -> None:
    for path in sorted((BENCHMARKS / "results").glob("*.json")):
        result = json.loads(path.read_text("utf-8"))
        records = [result.get("record"), *(c["record"] for c in result.get("cases", {}).values())]

        assert result["benchmark"] == path.stem
        assert all({"date", "commit"} <= set(record) for record in records if record is not None)
        assert any(records), path
