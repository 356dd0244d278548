from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from refinery.export.rows import EXPORT_SCHEMA, export_rows, write_jsonl, write_parquet

CLEANED = pa.schema(
    [
        ("doc_id", pa.string()),
        ("url", pa.string()),
        ("source", pa.string()),
        ("lang", pa.string()),
        ("text", pa.string()),
        ("scores", pa.map_(pa.string(), pa.float64())),
    ]
)


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, str]:
    cleaned = [
        {"doc_id": "a", "url": "u", "source": "web", "text": "one two", "scores": [("q", 0.5)]},
        {"doc_id": "b", "url": None, "source": "web", "text": "dropped", "scores": []},
        {"doc_id": "c", "url": None, "source": "书", "text": "数据", "scores": None},
    ]
    tokens = [{"doc_id": "a", "split": "train"}, {"doc_id": "c", "split": "heldout"}]
    edits = [{"doc_id": "a", "start": 0, "end": 4, "replacement": ""}]
    for name, table in (
        ("cleaned", pa.Table.from_pylist(cleaned, schema=CLEANED)),
        ("tokens", pa.Table.from_pylist(tokens)),
        ("edits", pa.Table.from_pylist(edits)),
    ):
        (tmp_path / name).mkdir()
        pq.write_table(table, tmp_path / name / "part-0.parquet")
    return {name: str(tmp_path / name) for name in ("cleaned", "tokens", "edits", "none")}


def batches(tables: dict[str, str]) -> list[pa.RecordBatch]:
    return list(
        export_rows(
            cleaned_uri=tables["cleaned"],
            tokens_uri=tables["tokens"],
            edit_uris=[tables["none"], tables["edits"]],
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


def test_parquet_has_the_declared_columns(tables: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"

    assert write_parquet(path, iter(batches(tables))) == 2

    assert pq.read_table(path).schema.equals(EXPORT_SCHEMA)
