"""Kept text with its origin and scores, for everybody who wants text instead of tokens. No Spark.

Rows are read and written in batches; in memory are the ids of kept documents and the edits. Larger
tables go through `refinery/export/spark.py`, to the same columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from refinery.publish import storage
from refinery.text.edits import Edit, apply_edits

EDIT_STAGES = ("clean", "dedup", "decontaminate")
EXPORT_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("url", pa.string()),
        ("source", pa.string()),
        ("lang", pa.string()),
        ("text", pa.string()),
        ("scores", pa.map_(pa.string(), pa.float64())),
        ("split", pa.string()),
    ]
)
BATCH_ROWS = 256


def export_rows(
    *, cleaned_uri: str, tokens_uri: str, edit_uris: list[str]
) -> Iterator[pa.RecordBatch]:
    """Batches of `EXPORT_SCHEMA`: exactly the documents of the `tokens` table, edits applied once.

    Args:
        cleaned_uri: The table `cleaned`.
        tokens_uri: The table `tokens`: one row per kept document, with its split.
        edit_uris: The tables `edits`, in the order of their stages; a missing folder is empty.
    """
    splits = _splits(tokens_uri)
    edits = _edits(edit_uris)
    columns = ["doc_id", "url", "source", "lang", "text", "scores"]
    for batch in _table(cleaned_uri).to_batches(columns=columns, batch_size=BATCH_ROWS):
        kept = [splits.get(doc_id) for doc_id in batch.column("doc_id").to_pylist()]
        batch = batch.append_column("split", pa.array(kept, pa.string()))
        rows = [_row(row, edits) for row in batch.filter(pc.is_valid(batch["split"])).to_pylist()]
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=EXPORT_SCHEMA)


def _row(row: dict[str, Any], edits: dict[str, list[Edit]]) -> dict[str, Any]:
    doc_id = row.pop("doc_id")
    text = apply_edits(row.pop("text"), edits.get(doc_id, ()))
    return {"id": doc_id, "text": text, **row}


def _table(uri: str) -> ds.Dataset:
    system, path = storage.file_system(uri)
    return ds.dataset(path, format="parquet", filesystem=system)


def _splits(tokens_uri: str) -> dict[str, str]:
    table = _table(tokens_uri).to_table(columns=["doc_id", "split"])
    return dict(zip(table["doc_id"].to_pylist(), table["split"].to_pylist(), strict=True))


def _edits(uris: list[str]) -> dict[str, list[Edit]]:
    """Edits by document in the order of the stages."""
    edits: dict[str, list[Edit]] = {}
    for uri in uris:
        if not storage.exists(uri):
            continue
        for row in _table(uri).to_table().to_pylist():
            edit = Edit(row["start"], row["end"], row["replacement"])
            edits.setdefault(row["doc_id"], []).append(edit)
    return edits


def write_jsonl(path: Path, batches: Iterator[pa.RecordBatch]) -> int:
    """One JSON object per line; returns the number of documents."""
    count = 0
    with path.open("w", encoding="utf-8") as stream:
        for batch in batches:
            for row in batch.to_pylist():
                row["scores"] = dict(row["scores"] or ())
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
                count += 1
    return count


def write_parquet(path: Path, batches: Iterator[pa.RecordBatch]) -> int:
    """One Parquet file, zstd; returns the number of documents."""
    count = 0
    with pq.ParquetWriter(path, EXPORT_SCHEMA, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count
