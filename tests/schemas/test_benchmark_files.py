"""Benchmark files: what both programs read of them, by the same ids."""

from __future__ import annotations

import bz2
import zipfile
from pathlib import Path
from typing import Any

import pytest

from schemas.benchmark_files import BenchmarkFiles, plain_text, read_labels, read_rows
from schemas.errors import SettingsError


def rows(path: Path | str, **form: Any) -> list[tuple[str, dict[str, Any]]]:
    files = BenchmarkFiles(path=str(path), **form)
    return [(row.item_id, row.values) for row in read_rows(files, "b")]


def test_ids_have_the_files_name_where_there_are_several(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text('{"x": 1}\n\n{"x": "u\u2028v"}\n', encoding="utf-8")

    assert [name for name, _ in rows(tmp_path)] == ["a/0", "a/1", "b/0", "b/1"]
    assert rows(tmp_path / "a.jsonl") == [("0", {"x": 1}), ("1", {"x": "u\u2028v"})]


def test_lines_archives_and_tables_are_read(tmp_path: Path) -> None:
    (tmp_path / "l.txt.bz2").write_bytes(bz2.compress(b"c\n1\nd\n2\n"))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("d/test.xml", '<c><pair id="7" e="YES"><t> one </t></pair></c>')
        archive.writestr("d/dev.xml", "<c/>")
    (tmp_path / "q.tsv").write_text('say "a\t1\n')

    lines = rows(tmp_path / "l.txt.bz2", format="lines", columns=("text", "label"))
    assert lines == [("0", {"text": "c", "label": "1"}), ("1", {"text": "d", "label": "2"})]
    xml = rows(tmp_path / "x.zip", format="xml", members="*test.xml", id_field="id")
    assert xml == [("7", {"id": "7", "e": "YES", "t": "one"})]
    assert rows(tmp_path / "q.tsv", format="tsv", columns=("s", "n")) == [
        ("0", {"s": 'say "a', "n": "1"})
    ]


def test_fields_are_reached_by_dots_and_lists_in_cells_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"a": {"b": 1}, "l": "[\\"x\\", \\"y\\"]", "p": "[\'z\']", "t": "[sic]"}'
    )

    (row,) = read_rows(BenchmarkFiles(path=str(tmp_path / "a.jsonl")), "b")

    assert [row.value(name) for name in ("a.b", "l", "p", "t")] == [1, ["x", "y"], ["z"], "[sic]"]
    assert plain_text(["x", {"k": None}]) == "x\n"
    with pytest.raises(SettingsError, match=r"a.jsonl, item 0: no field 'a.c'"):
        row.value("a.c")


@pytest.mark.parametrize(
    ("text", "form", "message"),
    [
        ("{", {}, "a.jsonl: "),
        ("[1]\n", {}, "item 0: expected fields with names"),
        ("", {}, "holds no item"),
        ("x\n", {"format": "lines", "columns": ("a", "b")}, "1 lines are no multiple of 2"),
    ],
)
def test_a_file_of_another_form_is_named(
    tmp_path: Path, text: str, form: dict[str, Any], message: str
) -> None:
    (tmp_path / "a.jsonl").write_text(text)

    with pytest.raises(SettingsError, match=message):
        rows(tmp_path / "a.jsonl", **form)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="benchmark 'b': no file at"):
        rows(tmp_path / "*.none")
    with pytest.raises(SettingsError, match=r"none\.lst"):
        read_labels(str(tmp_path / "none.lst"), "b")
    assert read_labels(None, "b") == []
