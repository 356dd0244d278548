"""`refinery ablate`: what it names, refuses and shows, before Spark is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.command.main import main
from refinery.ablation.table import RESULT_NAME
from refinery.ablation.yields import STUDY_RESULT
from schemas.errors import SettingsError
from schemas.yaml_files import dump_yaml

ENTRY = {"manifest": "m", "root": "r", "documents": 10, "tokens": 900, "more_documents": 0, "more_tokens": 0,
         "fewer_documents": 0, "fewer_tokens": 0, "rows": 20, "shared_rows": 20, "near_heldout": 0,
         "cpu_seconds": None, "cost_of": ""}  # fmt: skip


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "texts").mkdir()
    data = {
        "recipe": {"name": "some", "sources": [{"name": "t", "uri": str(tmp_path / "texts"), "format": "text"}]},
        "runtime": {"output": str(tmp_path / "out")},
    }  # fmt: skip
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_yaml(data))
    return path


def test_the_list_names_groups_and_single_rules(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ablate", str(recipe), "--list"]) == 0

    named = capsys.readouterr().out.split()
    assert {"dedup", "rules", "rules.gopher", "rules.gopher:words", "language"} <= set(named)


def test_the_list_of_an_output_without_a_finished_run_is_names_and_the_reason(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (recipe.parent / "out" / "tables").mkdir(parents=True)

    assert main(["ablate", str(recipe), "--list"]) == 0

    shown = capsys.readouterr()
    assert "dedup" in shown.out.split()
    assert "no run there" in shown.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "name one decision or more"),
        (["--without", "dedpu"], "did you mean 'dedup'"),
        (["--without", "dedup", "--without", "dedup"], "is there twice"),
        (["--without", "dedup", "--seeds", "0"], "expected 1 or more"),
        (["--arm", "odd", "packing.seq_len=8"], "settings change texts or rules"),
        (["--arm", "odd", "dedup.threshold=2"], "dedup.threshold"),
        (["--without", "dedup"], "no run there"),
        (["--show"], "nothing to show"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    recipe: Path, arguments: list[str], told: str
) -> None:
    with pytest.raises(SettingsError, match=told):
        main(["ablate", str(recipe), *arguments])


def _made(folder: Path, found: dict[str, Any] | None) -> None:
    study = folder / "study"
    study.mkdir(parents=True)
    arms = [{"arm": "base", **ENTRY}, {"arm": "without dedup", **ENTRY, "near_heldout": 2}]
    made = {"recipe": "some", "arms": arms, "study": "study.yaml", "study_output": str(study)}
    (folder / RESULT_NAME).write_text(json.dumps(made))
    if found is not None:
        (study / STUDY_RESULT).write_text(json.dumps(found))


def test_both_tables_are_joined(
    recipe: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    rows = [{"arm": "without dedup", "value": 2.5, "difference": [0.25, 0.125, 0.5], "smallest": 0.1,
             "verdict": "worse"}]  # fmt: skip
    found = {"table": rows, "verdict": "dedup pays", "measure": {"figure": "bits_per_byte"}}
    _made(recipe.parent / "out" / "ablation", found)

    main(["ablate", str(recipe), "--show"])

    shown = capsys.readouterr().out
    assert "+0.1250 to +0.5000" in shown
    assert "2 of its training documents resemble held-out ones" in shown
    assert shown.endswith("dedup pays\n")


def test_the_next_command_is_named_before_the_study(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _made(recipe.parent / "out" / "ablation", None)

    main(["ablate", str(recipe), "--show"])

    assert "python -m train study study.yaml" in capsys.readouterr().out
