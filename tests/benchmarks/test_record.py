"""Results as files: conditions beside the figures, and cases that do not overwrite each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import record as module
from benchmarks.record import conditions, record


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    return tmp_path


def test_a_result_names_machine_commit_load_and_command(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = SimpleNamespace(__spec__=SimpleNamespace(name="benchmarks.refinery.rules"))
    monkeypatch.setitem(sys.modules, "__main__", program)
    monkeypatch.setattr("sys.argv", ["rules.py", "--megabytes", "4"])

    record("speed", {"mb_per_second": 3})

    written = json.loads((results / "speed.json").read_text("utf-8"))
    facts = written["record"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert (written["benchmark"], written["mb_per_second"]) == ("speed", 3)
    assert head.stdout.startswith(facts["commit"])
    assert facts["cores"] == os.cpu_count()
    assert facts["cpu"]
    assert set(facts["load_average"]) == {"before", "after"}
    assert facts["packages"]["numpy"]
    assert facts["command"] == "python -m benchmarks.refinery.rules --megabytes 4"
    assert datetime.fromisoformat(facts["date"]).utcoffset() is not None


def test_cases_stand_side_by_side_and_a_new_run_of_one_replaces_it(results: Path) -> None:
    old = {"benchmark": "race", "rows": [1], "record": {"date": "2026-11-24", "commit": None}}
    (results / "race.json").write_text(json.dumps(old))

    record("race", {"ratio": 1}, case="gpt")
    record("race", {"ratio": 2}, case="t5")
    record("race", {"ratio": 3}, case="gpt")

    written = json.loads((results / "race.json").read_text("utf-8"))
    assert {name: case["ratio"] for name, case in written["cases"].items()} == {"gpt": 3, "t5": 2}
    assert {name: written[name] for name in old} == old


def test_the_line_on_standard_output_is_the_result(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record("speed", {"mb_per_second": 3}, case="zh")

    shown = json.loads(capsys.readouterr().out)
    assert shown == {"benchmark": "speed", "case": "zh", "mb_per_second": 3}


def test_outside_of_a_repository_the_commit_is_null(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    facts = conditions()

    assert (facts["commit"], facts["changed"]) == (None, None)
