from __future__ import annotations

import bz2
import gzip
import json
import zipfile
from pathlib import Path

import pytest

from benchmarks.corpora.published_benchmarks import published
from refinery.decontaminate.benchmarks import content_files, read_items
from refinery.decontaminate.config import BenchmarkConfig, QuestionConfig
from schemas.errors import SettingsError

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "benchmarks"


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


def test_xml_in_a_zip_archive(tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    pairs = '<c><pair id="7" value="TRUE"><t>Rain &amp; wind</t><h>It rains</h></pair></c>'
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("b/README", "no xml")
        archive.writestr("b/dev.xml", pairs)
        archive.writestr("b/test.xml", pairs)
    config = BenchmarkConfig(
        name="b", path=str(path), format="xml", members="*.xml", fields=("t", "h"), id_field="id"
    )

    items = read_items(config)

    assert [(i.item_id, i.text) for i in items] == [
        ("dev/7", "Rain & wind\nIt rains"),
        ("test/7", "Rain & wind\nIt rains"),
    ]
    missing = config.model_copy(update={"members": "*.json"})
    with pytest.raises(SettingsError, match=r"no member like '\*.json', found"):
        read_items(missing)


def test_items_of_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "b.txt"
    path.write_text("A man sits\n1\nand sings\nand stands\nA dog\n0\nbarks\nflies\n")
    config = BenchmarkConfig(
        name="b",
        path=str(path),
        format="lines",
        columns=("context", "label", "a", "b"),
        fields=("context", "a", "b"),
        multiple_choice=QuestionConfig(question="context", choices=("a", "b"), answer="label"),
    )

    first, second = read_items(config)

    assert (first.question, first.choices, first.answer) == (
        "A man sits",
        ("and sings", "and stands"),
        1,
    )
    assert (second.text, second.answer) == ("A dog\nbarks\nflies", 0)
    path.write_text("A man sits\n1\nand sings\n")
    with pytest.raises(SettingsError, match="3 lines are no multiple of 4"):
        read_items(config)


def test_columns_without_a_header_and_an_open_quote(tmp_path: Path) -> None:
    path = tmp_path / "b.tsv"
    path.write_text('a "good film\t1\nbad\t0\n')
    config = BenchmarkConfig(
        name="b", path=str(path), format="tsv", columns=("text", "label"), fields=("text",)
    )

    assert [i.text for i in read_items(config)] == ['a "good film', "bad"]


@pytest.mark.parametrize(
    "data", ["q;c;a\nwhy?;['x, y', \"z\"];B\n", 'q,c,a\nwhy?,"[""x, y"", ""z""]",z\n']
)
def test_lists_in_cells_and_semicolons(tmp_path: Path, data: str) -> None:
    path = tmp_path / "b.csv"
    path.write_text(data)
    config = BenchmarkConfig(
        name="b",
        path=str(path),
        format="csv",
        fields=("q", "c"),
        multiple_choice=QuestionConfig(question="q", choices=("c",), answer="a"),
    )

    (item,) = read_items(config)

    assert (item.text, item.choices, item.answer) == ("why?\nx, y\nz", ("x, y", "z"), 1)


def test_answers_from_a_file_of_labels(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"q": "1", "c": ["x", "y"]}\n{"q": "2", "c": ["x", "y"]}\n')
    (tmp_path / "b.lst").write_text("1\n0\n")
    asked = QuestionConfig(question="q", choices=("c",), labels=str(tmp_path / "b.lst"))
    config = BenchmarkConfig(
        name="b", path=str(tmp_path / "b.jsonl"), fields=("q",), multiple_choice=asked
    )

    assert [i.answer for i in read_items(config)] == [1, 0]
    (tmp_path / "b.lst").write_text("1\n")
    with pytest.raises(SettingsError, match="1 labels for 2 items"):
        read_items(config)


def test_lines_need_column_names() -> None:
    with pytest.raises(ValueError, match="needs columns"):
        BenchmarkConfig(name="b", path="b", format="lines", fields=("q",))


@pytest.mark.skipif(not DATA.exists(), reason="the folder of real benchmarks is absent")
def test_every_published_benchmark_of_the_data_folder_is_read() -> None:
    configs = published(DATA)
    items = {config.name: read_items(config) for config in configs}

    assert {name: len(own) for name, own in items.items()} | {
        "cmmlu": 11_582, "hellaswag": 10_042, "humaneval": 164, "mmlu": 5_700, "piqa": 1_838,
        "rte": 4_167,
    } == {name: len(own) for name, own in items.items()}  # fmt: skip
    read = {path for config in configs for path in content_files(config)}
    kinds = {".jsonl", ".json", ".csv", ".tsv", ".zip", ".gz", ".bz2"}
    # Minimal pairs are two sentences to compare, no items with a question and an answer.
    files = {path for path in DATA.rglob("*") if "minimal_pairs" not in path.parts}
    unread = {path.name for path in files if path.suffix in kinds} - {path.name for path in read}
    assert unread == {"example_problem.jsonl", "example_samples.jsonl"}  # HumanEval's, no items
