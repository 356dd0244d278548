from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.command.main import main

PAGE = (
    "<html><head><title>A page</title></head><body><main><p>The dog and the cat have been with us "
    "for long. 😂😂</p></main></body></html>"
)


def explain(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict]:
    assert main(["explain", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_one_line_per_file_also_for_rejects(capsys, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(PAGE, encoding="utf-8")
    (tmp_path / "b.txt").write_bytes(b"a\0b")
    names = ["a.html", "b.txt", "missing.html"]

    rows = explain(capsys, *[str(tmp_path / name) for name in names])

    assert [Path(row["path"]).name for row in rows] == names
    assert rows[0]["title"] == "A page"
    assert rows[0]["lang"] == "en"
    assert rows[0]["text"].endswith("face with tears of joy")
    assert rows[0]["drop_reason"] == rows[0]["reasons"][0] == "gopher:words"
    assert [row["drop_reason"] for row in rows[1:]] == ["page:binary", "file:unreadable"]
    assert {frozenset(row) for row in rows} == {frozenset(rows[0])}


def test_edits_of_the_recipe_are_applied_and_highlighted(capsys, tmp_path: Path) -> None:
    page, recipe, out = tmp_path / "a.txt", tmp_path / "r.yaml", tmp_path / "out.html"
    page.write_text("Write to <bob@example.com> about it.\nHome\n", encoding="utf-8")
    recipe.write_text(
        "recipe:\n  name: t\n  sources: [{name: a, uri: x, format: text}]\n"
        "  clean: {rules: {pii: {}, lines: [refinedweb]}}\nruntime: {output: o}\n",
        encoding="utf-8",
    )

    (row,) = explain(capsys, str(page), "--recipe", str(recipe), "--html", str(out))

    assert row["text"] == "Write to <<EMAIL>> about it.\n"
    assert [edit["reason"] for edit in row["edits"]] == ["refinedweb:one_word", "pii:email"]
    assert '<del title="pii:email">bob@example.com</del>' in out.read_text(encoding="utf-8")


def test_neither_verb_imports_spark() -> None:
    code = "import sys, jobs.command.explain, jobs.command.whatif; print('pyspark' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_a_file_that_ends_the_child_is_a_row_and_the_next_one_goes_on(
    capsys, tmp_path: Path
) -> None:
    big, small, recipe = tmp_path / "big.html", tmp_path / "small.html", tmp_path / "r.yaml"
    big.write_text("<p>" + "some words " * 800_000, encoding="utf-8")
    small.write_text(PAGE, encoding="utf-8")
    recipe.write_text(
        "recipe:\n  name: t\n  sources: [{name: a, uri: x, format: html}]\n"
        "  clean: {extract: {guard: {memory_bytes: 60000000}}}\nruntime: {output: o}\n",
        encoding="utf-8",
    )

    rows = explain(capsys, str(big), str(small), "--recipe", str(recipe))

    assert rows[0]["drop_reason"] == "guard:memory"
    assert rows[0]["rejected"]
    assert rows[1]["title"] == "A page"
