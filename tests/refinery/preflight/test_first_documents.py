"""One file of each source is opened: its form, its fields, its first document."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from refinery.preflight.first_documents import check_first_document, table_note
from refinery.preflight.missing import nothing_there
from refinery.preflight.output import existing_parent
from refinery.sources.config import SourceConfig
from schemas.errors import SettingsError


def source(path: Path, kind: str, **more: Any) -> SourceConfig:
    return SourceConfig.model_validate({"name": "s", "uri": str(path), "format": kind, **more})


def test_the_first_document_and_the_fields_are_found(tmp_path: Path) -> None:
    rows = [{"body": "二月的雨下了三天。", "link": "https://a.example/1", "lic": "CC0"}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))

    found = check_first_document(source(tmp_path, "jsonl", fields={"text": "body", "url": "link"}))

    assert found is not None
    assert found.fields is not None
    assert found.fields.names == ("body", "link", "lic")
    assert found.document is not None
    assert found.document.payload.decode() == "二月的雨下了三天。"
    assert found.document.url == "https://a.example/1"


@pytest.mark.parametrize(
    ("name", "data", "declared", "told"),
    [
        ("a.jsonl", b"<!doctype html><p>x</p>", "jsonl", "is html, declared as format: jsonl"),
        ("a.dat", b'{"text": "x"}\n', "warc", "is jsonl, declared as format: warc; did you mean 'format: jsonl'?"),
        ("a.txt", b"%PDF-1.7 ...", "text", "is pdf, declared as format: text"),
        ("a.html", b"WARC/1.0\r\n", "html", "did you mean 'format: warc'?"),
        ("a.csv", b"PAR1....", "csv", "did you mean 'format: parquet'?"),
        ("a.parquet", b"text,url\nx,y\n", "parquet", "has no document among its first records"),
        ("a.jsonl.gz", b"not gzip at all", "jsonl", "has no document among its first records"),
    ],
)  # fmt: skip
def test_a_file_of_another_form_is_refused(
    name: str, data: bytes, declared: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)

    with pytest.raises(SettingsError) as refused:
        check_first_document(source(tmp_path, declared))

    assert told in str(refused.value)
    assert name in str(refused.value)


def test_a_text_field_that_is_missing_names_the_likely_one(tmp_path: Path) -> None:
    table = pa.table({"raw_content": ["A long text of a page."], "id": [1]})
    pq.write_table(table, tmp_path / "a.parquet")

    with pytest.raises(SettingsError) as refused:
        check_first_document(source(tmp_path, "parquet"))

    assert "no field 'text' in" in str(refused.value)
    assert "found raw_content, id; did you mean 'fields: {text: raw_content}'?" in str(
        refused.value
    )


def test_a_missing_path_names_its_neighbour_or_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()

    assert str(nothing_there("s", f"{tmp_path}/corpsu")).endswith("did you mean 'corpus'?")
    assert str(nothing_there("s", f"{tmp_path}/x/y")).endswith(f"no folder {tmp_path}/x either")
    assert existing_parent(tmp_path / "corpus" / "a" / "b") == tmp_path / "corpus"


def test_orc_is_opened_without_spark(tmp_path: Path) -> None:
    (tmp_path / "day=1").mkdir()
    orc.write_table(pa.table({"body": ["some words"], "n": [1]}), str(tmp_path / "day=1" / "a.orc"))
    spark = {"format": "orc"}

    found = check_first_document(source(tmp_path, "spark", fields={"text": "body"}, spark=spark))

    assert found is not None
    assert found.file == "day=1/a.orc"
    assert found.document is not None
    assert found.document.payload == b"some words"
    with pytest.raises(SettingsError, match=r"no field 'bdoy' in .*a\.orc, found body, n; did you"):
        check_first_document(source(tmp_path, "spark", fields={"text": "bdoy"}, spark=spark))
    with pytest.raises(SettingsError, match=r"source 's'.*gone"):
        check_first_document(source(tmp_path / "gone", "spark", spark=spark))


def test_tables_that_only_spark_knows_are_not_opened() -> None:
    for spark in (None, {"format": "jdbc"}, {"format": "iceberg"}):
        one = SourceConfig.model_validate({"name": "s", "uri": "db.pages", "format": "spark", "spark": spark})  # fmt: skip
        assert check_first_document(one) is None


def test_parquet_files_of_a_delta_table_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "_delta_log").mkdir()
    (tmp_path / "_delta_log" / "0.json").write_text("{}")

    note = table_note(source(tmp_path, "parquet"))

    assert note is not None
    assert "`format: spark` reads it" in note
    assert table_note(source(tmp_path, "jsonl")) is None
