"""`refinery init` writes a recipe that loads, for any folder, and says what it leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.command.main import main
from refinery.recipe import load_recipe
from schemas.errors import SettingsError


def test_a_recipe_from_a_folder_loads_and_its_check_finds_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (
        ("my crawl, 2024 #1: [a]/a.jsonl", '{"content": "Words of a page.", "id": 1}\n'),
        ("no/1.txt", "x"),
        ("语料/甲.md", "一"),
        ("loose.csv", "text\nwords and words\n"),
        ("scan.pdf", "%PDF-1.4"),
    ):
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    recipe = tmp_path / "r.yaml"
    assert main(["init", str(tmp_path / "corpus"), "--out", str(recipe)]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "note: left out, since nothing reads them: 1 .pdf",
        f"{recipe}: 4 sources; next: refinery check {recipe}",
    ]
    found = load_recipe(recipe).recipe.sources
    assert {(s.name, s.format, s.fields.text, s.pattern) for s in found} == {
        ("my-crawl-2024-1-a", "jsonl", "content", "**"),
        ("no", "text", "text", "**"),
        ("documents", "text", "text", "**"),
        ("corpus", "csv", "text", "*.csv"),
    }
    assert main(["check", str(recipe)]) == 0


def test_a_folder_without_known_files_says_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("x")

    with pytest.raises(SettingsError, match=r"\.xyz"):
        main(["init", str(tmp_path), "--out", str(tmp_path / "r.yaml")])


def test_an_existing_recipe_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "r.yaml").write_text("mine")

    with pytest.raises(SettingsError, match="is there already"):
        main(["init", str(tmp_path), "--out", str(tmp_path / "r.yaml")])

    assert (tmp_path / "r.yaml").read_text() == "mine"
