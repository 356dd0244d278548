from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path

import pytest

from refinery.decontaminate.benchmarks import read_items
from refinery.decontaminate.config import BenchmarkConfig
from schemas.errors import SettingsError


def test_json_lines_with_nested_fields_and_lists(tmp_path: Path) -> None:
    row = {"id": "x7", "question": {"stem": "why?", "choices": [{"text": "a"}, {"text": "b"}]}}
    path = tmp_path / "b.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(row).encode() + b"\n\n"))
    config = BenchmarkConfig(
        name="b", path=str(path), fields=("question.stem", "question.choices"), id_field="id"
    )

    (item,) = read_items(config)

    assert (item.benchmark, item.item_id, item.text) == ("b", "x7", "why?\na\nb")


def test_quoted_csv_in_bz2(tmp_path: Path) -> None:
    path = tmp_path / "b.csv.bz2"
    path.write_bytes(bz2.compress('Question,A\n"one, ""two""\nthree",是\n'.encode()))

    (item,) = read_items(
        BenchmarkConfig(name="b", path=str(path), format="csv", fields=("Question", "A"))
    )

    assert item.text == 'one, "two"\nthree\n是'


def test_a_folder_gives_all_its_files_in_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.csv").write_text(f"q\n{name}1\n{name}2\n")
    (tmp_path / "README.md").write_text("no benchmark")

    items = read_items(BenchmarkConfig(name="b", path=str(tmp_path), format="csv", fields=("q",)))

    assert [i.item_id for i in items] == ["a/0", "a/1", "b/0", "b/1"]


def test_a_missing_field_is_named_with_those_found(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"a": 1}\n')
    config = BenchmarkConfig(name="b", path=str(tmp_path / "b.jsonl"), fields=("q",))

    with pytest.raises(SettingsError, match=r"no field 'q', found \['a'\]"):
        read_items(config)


def test_no_file_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no file at"):
        read_items(BenchmarkConfig(name="b", path=str(tmp_path / "none"), fields=("q",)))
