"""Scripts without Spark: packed pairs are told by task, pydoc is rendered page by page."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobs import pack_pairs
from jobs.command.numbers import positive
from schemas.manifest import read_manifest
from tests.support.datasets import write_dataset


def test_a_line_for_each_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = read_manifest(write_dataset(tmp_path))
    asked: list[tuple[Path, tuple[str, ...]]] = []

    def load(model: object, path: Path, overrides: tuple[str, ...]) -> SimpleNamespace:
        asked.append((path, overrides))
        return SimpleNamespace(output=str(tmp_path))

    monkeypatch.setattr(pack_pairs, "load_settings", load)
    monkeypatch.setattr(pack_pairs, "pack_pairs", lambda recipe: manifest)

    assert pack_pairs.main(["r.yaml", "--set", "seed=2"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert asked == [(Path("r.yaml"), ("seed=2",))]
    assert [line.split()[:3] for line in lines[1:3]] == [
        ["web", "1", "1.000"],
        ["zh", "1", "1.000"],
    ]
    assert lines[-1] == f"96 training rows: {tmp_path / 'manifest.json'}"


def test_pydoc_pages_are_written_but_for_modules_that_open_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = frozenset({"json", "this", "antigravity", "_json", "no_such_module"})
    monkeypatch.setattr(sys, "stdlib_module_names", names)
    monkeypatch.setattr(sys, "argv", ["render_pydoc", str(tmp_path / "pages")])

    runpy.run_module("jobs.demo.render_pydoc", run_name="__main__")

    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["json.html"]


def test_counts_are_whole_numbers_above_zero() -> None:
    assert positive("12") == 12
    for text in ("0", "-1", "1.5", "x", "²"):
        with pytest.raises(Exception, match="whole number above 0"):
            positive(text)
