"""Kept text with its origin and scores, for everybody who wants text instead of tokens. No Spark.

Rows are read and written in batches; in memory are the ids of kept documents and the edits. Larger
tables go through `refinery/export/spark.py`, to the same columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from refinery.publish import storage
from refinery.text.edits import Edit, apply_edits

EXPORT_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("url", pa.string()),
        ("source", pa.string()),
        ("lang", pa.string()),
        ("title", pa.string()),
        ("date", pa.string()),
        ("license", pa.string()),
        ("text", pa.string()),
        ("scores", pa.map_(pa.string(), pa.float64())),
        ("split", pa.string()),
        ("meta", pa.string()),
    ]
)
# Names that records use for the licence of a document and, where the page gives no day, for its date.
LICENSE_KEYS = ("license", "licence", "licenses", "rights")
DATE_KEYS = ("date", "published", "publish_date", "date_published", "created", "timestamp")
FETCH_ORDER = ("priority", "fetched_at", "file", "offset")
BATCH_ROWS = 256


def export_rows(
    *, cleaned_uri: str, tokens_uri: str, edit_uris: list[str], fetches_uri: str | None = None
) -> Iterator[pa.RecordBatch]:
    """Batches of `EXPORT_SCHEMA`: exactly the documents of the `tokens` table, edits applied once.

    Args:
        cleaned_uri: The table `cleaned`.
        tokens_uri: The table `tokens`: one row per kept document, with its split.
        edit_uris: The tables `edits`, in the order of their stages; a missing folder is empty.
        fetches_uri: The table `fetches`, for what the records say beside the text.
    """
    splits = _splits(tokens_uri)
    edits = _edits(edit_uris)
    metas = _metas(fetches_uri, splits)
    cleaned = _table(cleaned_uri)
    wanted = ("doc_id", "url", "source", "lang", "title", "published", "text", "scores")
    columns = [name for name in wanted if name in cleaned.schema.names]
    for batch in cleaned.to_batches(columns=columns, batch_size=BATCH_ROWS):
        kept = [splits.get(doc_id) for doc_id in batch.column("doc_id").to_pylist()]
        batch = batch.append_column("split", pa.array(kept, pa.string()))
        rows = [
            _row(row, edits, metas) for row in batch.filter(pc.is_valid(batch["split"])).to_pylist()
        ]
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=EXPORT_SCHEMA)


def _row(
    row: dict[str, Any], edits: dict[str, list[Edit]], metas: dict[str, str]
) -> dict[str, Any]:
    doc_id = row.pop("doc_id")
    text = apply_edits(row.pop("text"), edits.get(doc_id, ()))
    meta = metas.get(doc_id)
    day, licence = date_and_license(meta)
    row["date"] = row.pop("published", None) or day
    return {**row, "id": doc_id, "text": text, "license": licence, "meta": meta}


def date_and_license(meta: str | None) -> tuple[str | None, str | None]:
    """What the other fields of a record say of a document's date and licence; None where they say nothing."""
    fields = json.loads(meta) if meta else {}
    lower = {str(key).lower(): value for key, value in fields.items()}

    def first(keys: tuple[str, ...]) -> str | None:
        values = (lower.get(key) for key in keys)
        found = next((value for value in values if value), None)
        if isinstance(found, list):
            return ", ".join(map(str, found))
        return None if found is None else str(found)

    return first(DATE_KEYS), first(LICENSE_KEYS)


def _metas(fetches_uri: str | None, kept: dict[str, str]) -> dict[str, str]:
    """The other fields of the record that each kept document comes from, as JSON; empty ones left out.

    Of several fetches of a document the first one counts, as in `refinery/sources/selection.py`.
    """
    if fetches_uri is None or not storage.exists(fetches_uri):
        return {}
    found: dict[str, tuple[tuple[bool | Any, ...], str]] = {}
    columns = ["doc_id", "meta", *FETCH_ORDER]
    for batch in _table(fetches_uri).to_batches(columns=columns, filter=ds.field("meta") != "{}"):
        for row in batch.to_pylist():
            if row["doc_id"] not in kept:
                continue
            moment = row["fetched_at"]
            order = (row["priority"], moment is None, moment or 0, row["file"], row["offset"])
            if row["doc_id"] not in found or order < found[row["doc_id"]][0]:
                found[row["doc_id"]] = (order, row["meta"])
    return {doc_id: meta for doc_id, (_, meta) in found.items()}


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
