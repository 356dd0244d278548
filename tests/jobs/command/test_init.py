from __future__ import annotations

from pathlib import Path

import pytest

from jobs.command.main import main
from refinery.recipe import load_recipe
from schemas.errors import SettingsError


def test_a_recipe_from_a_folder_loads(tmp_path: Path) -> None:
    for name in ("web/a.warc.gz", "web/b.warc", "News Texts/1.txt", "loose.jsonl"):
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")

    main(["init", str(tmp_path / "corpus"), "--out", str(tmp_path / "r.yaml")])

    sources = load_recipe(tmp_path / "r.yaml").recipe.sources
    assert {(s.name, s.format) for s in sources} == {
        ("web", "warc"), ("news-texts", "text"), ("corpus", "jsonl"),
    }  # fmt: skip


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
