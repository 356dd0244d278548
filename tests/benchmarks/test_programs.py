"""Programs of benchmarks/ and tools/: each starts, and each stands in the list that people read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"
# Sides of a race that run in the environment of a peer which is not installed here.
PEERS = {f"benchmarks.races.{race}_datatrove" for race in ("dedup", "pipeline", "rules")}
# One process for all: their imports (Spark, torch, transformers) take longer than their help.
SHOW_HELP = """
import contextlib, importlib, io, json, sys
helps = {}
for name in sys.argv[1:]:
    main, sys.argv = importlib.import_module(name).main, [name, "--help"]
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        try:
            main()
        except SystemExit as error:
            helps[name] = [error.code, shown.getvalue()]
print(json.dumps(helps))
"""


def _programs() -> list[str]:
    files = [*BENCHMARKS.rglob("*.py"), ROOT / "tools" / "train_blocks.py"]
    starting = [path for path in files if '__name__ == "__main__"' in path.read_text("utf-8")]
    return sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in starting)


@pytest.mark.slow
def test_every_program_starts_and_says_how_it_is_called() -> None:
    names = [name for name in _programs() if name not in PEERS]

    done = subprocess.run(
        [sys.executable, "-c", SHOW_HELP, *names],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    helps = json.loads(done.stdout.splitlines()[-1])
    assert [name for name in names if helps.get(name, [1])[0] != 0] == []
    assert [name for name in names if f"python -m {name}" not in helps[name][1]] == []


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
