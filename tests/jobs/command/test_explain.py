from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from jobs.command.main import main
from schemas.errors import SettingsError

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
    names = ["a.html", "b.txt"]

    rows = explain(capsys, *[str(tmp_path / name) for name in names])

    assert [Path(row["path"]).name for row in rows] == names
    assert rows[0]["title"] == "A page"
    assert rows[0]["lang"] == "en"
    assert rows[0]["text"].endswith("face with tears of joy")
    assert rows[0]["drop_reason"] == rows[0]["reasons"][0] == "gopher:words"
    assert [row["drop_reason"] for row in rows[1:]] == ["page:binary"]
    assert {frozenset(row) for row in rows} == {frozenset(rows[0])}


def test_a_missing_file_is_an_error_before_any_work(capsys, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(PAGE, encoding="utf-8")

    with pytest.raises(SettingsError, match=r"missing\.html: no such file"):
        main(["explain", str(tmp_path / "a.html"), str(tmp_path / "missing.html")])

    assert capsys.readouterr().out == ""
    assert SettingsError.exit_code == 2


def write_records(folder: Path, kind: str) -> Path:
    """Two documents in a file of a kind, the second of them Chinese."""
    rows = [{"url": "https://a.org/1", "content": "The first document. " * 3},
            {"url": "https://a.org/2", "content": "第二份文档。"}]  # fmt: skip
    path = folder / f"data.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "csv":
        pa_csv.write_csv(pa.Table.from_pylist(rows), path)
    else:
        path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return path


@pytest.mark.parametrize("kind", ["jsonl.gz", "parquet", "csv"])
def test_a_document_of_a_file_is_named_by_number_or_address(
    capsys, tmp_path: Path, kind: str
) -> None:
    path = str(write_records(tmp_path, kind))

    first = explain(capsys, path)
    by_number = explain(capsys, path, "--record", "1")
    by_address = explain(capsys, path, "--url", "https://a.org/2")

    assert first[0]["text"].startswith("The first document.")
    assert by_number == by_address
    assert by_number[0]["text"] == "第二份文档。"
    with pytest.raises(SettingsError, match="no record with number 7; 2 of its records"):
        main(["explain", path, "--record", "7"])


def test_the_recipes_source_says_which_field_holds_the_text(capsys, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a decoy", "body": "What the recipe reads."}\n')
    (tmp_path / "r.yaml").write_text(
        f"recipe:\n  name: t\n  sources: [{{name: a, uri: '{tmp_path}', format: jsonl, "
        "fields: {text: body}}]\nruntime: {output: o}\n",
        encoding="utf-8",
    )

    (row,) = explain(capsys, str(tmp_path / "a.jsonl"), "--recipe", str(tmp_path / "r.yaml"))

    assert row["text"] == "What the recipe reads."


def test_a_record_of_an_archive_is_named_by_its_address(capsys, tmp_path: Path) -> None:
    body = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Only this page.</p>"
    )
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: https://a.org/x\r\n"
        f"WARC-Date: 2026-01-01T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:1>\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    (tmp_path / "a.warc").write_bytes(head.encode() + body + b"\r\n\r\n")

    (row,) = explain(capsys, str(tmp_path / "a.warc"), "--url", "https://a.org/x")

    assert row["text"] == "Only this page."


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
