from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
import zstandard

from refinery.export.rows import EXPORT_SCHEMA, date_and_license, export_rows
from refinery.export.text_files import write_hub_folder, write_jsonl, write_text

CLEANED = pa.schema(
    [
        ("doc_id", pa.string()),
        ("url", pa.string()),
        ("source", pa.string()),
        ("lang", pa.string()),
        ("title", pa.string()),
        ("published", pa.string()),
        ("text", pa.string()),
        ("scores", pa.map_(pa.string(), pa.float64())),
    ]
)


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, str]:
    cleaned = [
        {
            "doc_id": "a",
            "url": "u",
            "source": "web",
            "text": "one two",
            "scores": [("q", 0.5)],
            "lang": "no",
            "title": "One",
            "published": "2024-05-01",
        },
        {"doc_id": "b", "url": None, "source": "web", "text": "dropped", "scores": []},
        {"doc_id": "c", "url": None, "source": "书", "text": "数据", "scores": None},
    ]
    tokens = [{"doc_id": "a", "split": "train"}, {"doc_id": "c", "split": "heldout"}]
    edits = [{"doc_id": "a", "start": 0, "end": 4, "replacement": ""}]
    fetched = {"priority": 0, "fetched_at": None, "file": "f"}
    fetches = [
        {"doc_id": "a", "meta": '{"license": "later"}', **fetched, "offset": 2},
        {
            "doc_id": "a",
            "meta": '{"license": "CC-BY-4.0", "date": "1999", "n": 1}',
            **fetched,
            "offset": 1,
        },
        {"doc_id": "a", "meta": "{}", **fetched, "offset": 0},
        {
            "doc_id": "c",
            "meta": '{"Rights": ["x", "y"], "date": "2001-02-03"}',
            **fetched,
            "offset": 3,
        },
    ]
    for name, table in (
        ("fetches", pa.Table.from_pylist(fetches)),
        ("cleaned", pa.Table.from_pylist(cleaned, schema=CLEANED)),
        ("tokens", pa.Table.from_pylist(tokens)),
        ("edits", pa.Table.from_pylist(edits)),
    ):
        (tmp_path / name).mkdir()
        pq.write_table(table, tmp_path / name / "part-0.parquet")
    return {
        name: str(tmp_path / name) for name in ("cleaned", "tokens", "edits", "none", "fetches")
    }


def batches(tables: dict[str, str]) -> list[pa.RecordBatch]:
    return list(
        export_rows(
            cleaned_uri=tables["cleaned"],
            tokens_uri=tables["tokens"],
            edit_uris=[tables["none"], tables["edits"]],
            fetches_uri=tables["fetches"],
        )
    )


def test_exactly_the_kept_documents_come_out_with_their_edits(
    tables: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"

    assert write_jsonl(path, iter(batches(tables))) == 2

    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [(r["id"], r["text"], r["split"]) for r in rows] == [
        ("a", "two", "train"),
        ("c", "数据", "heldout"),
    ]
    assert rows[0]["scores"] == {"q": 0.5}
    assert rows[0]["url"] == "u"


def test_title_date_licence_and_the_other_fields_come_along(
    tables: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "out.jsonl"
    write_jsonl(path, iter(batches(tables)))

    first, last = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert (first["title"], first["date"], first["license"]) == ("One", "2024-05-01", "CC-BY-4.0")
    assert first["meta"] == {"license": "CC-BY-4.0", "date": "1999", "n": 1}
    assert (last["title"], last["date"], last["license"]) == (None, "2001-02-03", "x, y")


def test_records_that_say_nothing_have_no_date_and_no_licence() -> None:
    assert date_and_license(None) == (None, None)
    assert date_and_license('{"licence": "MIT", "other": 1}') == (None, "MIT")


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_the_ending_says_the_compression(tables: dict[str, str], tmp_path: Path, name: str) -> None:
    path = tmp_path / name

    assert write_text(path, iter(batches(tables))) == 2

    data = path.read_bytes()
    if name.endswith(".gz"):
        data = gzip.decompress(data)
    elif name.endswith(".zst"):
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    assert [json.loads(line)["id"] for line in data.decode().splitlines()] == ["a", "c"]


@pytest.mark.parametrize(
    ("compression", "found"),
    [("zstd", "ZSTD"), ("snappy", "SNAPPY"), ("gzip", "GZIP"), ("none", "UNCOMPRESSED")],
)
def test_parquet_has_the_declared_columns_and_compression(
    tables: dict[str, str], tmp_path: Path, compression: str, found: str
) -> None:
    path = tmp_path / "out.parquet"

    assert write_text(path, iter(batches(tables)), compression) == 2

    assert pq.read_table(path).schema.equals(EXPORT_SCHEMA)
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == found


def test_a_folder_for_the_hub_names_its_files_languages_and_licences(
    tables: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "hub"

    assert write_hub_folder(folder, iter(batches(tables)), name="texts: mine") == 2

    front = yaml.safe_load((folder / "README.md").read_text("utf-8").split("---")[1])
    assert (front["pretty_name"], front["language"]) == ("texts: mine", ["no"])
    found = {
        one["split"]: pq.read_table(sorted(folder.glob(one["path"])))["id"].to_pylist()
        for one in front["configs"][0]["data_files"]
    }
    assert found == {"train": ["a"], "heldout": ["c"]}
    assert "| CC-BY-4.0 | 1 |" in (folder / "README.md").read_text("utf-8")
