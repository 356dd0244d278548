"""`refinery check`: mistakes, or a look into each source."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.command.main import main
from schemas.errors import SettingsError

RECIPE = """\
recipe:
  name: r
  sources:
    - {{name: notes, uri: {root}/notes, format: text}}
    - {{name: rows, uri: {root}/rows, format: csv, fields: {{text: body, url: null}}}}
runtime: {{output: {root}/out}}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    for name, text in (("notes/a.txt", "Ein Satz."), ("rows/a.csv", "body,id\n一行文字,1\n")):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text(text)
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE.format(root=tmp_path))
    return path


@pytest.mark.parametrize("option", [[], ["--recipe"]])
def test_the_first_document_of_each_source_is_shown(
    option: list[str], recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *option, str(recipe)]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "notes: 1 file, format text; opened a.txt",
        "  first document, 9 bytes: Ein Satz.",
        "rows: 1 file, format csv; opened a.csv",
        "  fields: body, id",
        "  first document, 12 bytes: 一行文字",
        f"{recipe}: no mistake found",
    ]
    assert sorted(path.name for path in recipe.parent.iterdir()) == ["notes", "r.yaml", "rows"]


def test_refine_refuses_the_same_before_spark_starts(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object) -> None:
        raise AssertionError("Spark was looked for")

    monkeypatch.setattr("jobs.spark.launcher.find_java", started)
    with pytest.raises(SettingsError, match="no language 'english'; did you mean 'en'"):
        main(["refine", str(recipe), "--set", "recipe.clean.language.languages=[english]"])
