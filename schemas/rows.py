"""Packed rows as Arrow: their schema, and the SHA-256 of their canonical form.

A row is `seq_len` tokens and the segments it is made of. The canonical form does not depend on row
groups, chunks, compression or the writer, so the same rows give the same digest whoever wrote them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import ContractError

NO_TOKEN = -1

SEGMENT = pa.struct(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("copy", pa.int32(), nullable=False),
        # offset of the segment in its document, in tokens
        pa.field("doc_start", pa.int32(), nullable=False),
        # offset of the segment in the row, in tokens
        pa.field("row_start", pa.int32(), nullable=False),
        # tokens, the document's end mark included where the segment reaches it
        pa.field("length", pa.int32(), nullable=False),
    ]
)

ROW_SCHEMA = pa.schema(
    [
        # 16 hex digits over the row's content: the same row keeps its id under re-sharding
        pa.field("row_id", pa.string(), nullable=False),
        pa.field(
            "input_ids", pa.list_(pa.field("item", pa.int32(), nullable=False)), nullable=False
        ),
        pa.field("segments", pa.list_(pa.field("item", SEGMENT, nullable=False)), nullable=False),
        # the token that follows the row in its document, -1 where the document ends with the row
        pa.field("next_token", pa.int32(), nullable=False),
    ]
)

_FLAGS = pa.list_(pa.field("item", pa.bool_(), nullable=False))
# Columns that a dataset has where its recipe or layout asks for them; the manifest names them.
OPTIONAL_COLUMNS: dict[str, pa.Field] = {
    field.name: field
    for field in (
        # one flag for each token: whether a word begins with it
        pa.field("word_starts", _FLAGS, nullable=False),
        # one flag for each token: whether a sentence begins with it
        pa.field("sentence_starts", _FLAGS, nullable=False),
        # position in the row of the first token of the second half
        pa.field("segment_b_start", pa.int32(), nullable=False),
        # 1 where the second half follows the first one in its document, 0 where it was drawn
        pa.field("is_next", pa.int32(), nullable=False),
        # position in the row of the first token of the target
        pa.field("target_start", pa.int32(), nullable=False),
        # number of the row's class, -100 for none
        pa.field("class_label", pa.int32(), nullable=False),
        # one for each token: number of its class, -100 for none
        pa.field(
            "token_labels", pa.list_(pa.field("item", pa.int32(), nullable=False)), nullable=False
        ),
    )
}


def row_schema(columns: Iterable[str] = ()) -> pa.Schema:
    """Schema of rows with optional columns, behind the usual ones."""
    return pa.schema([*ROW_SCHEMA, *(OPTIONAL_COLUMNS[name] for name in columns)])


_HASHED_SEGMENT_FIELDS = ("doc_id", "source", "copy", "doc_start", "row_start", "length")


class ContentHasher:
    """Stream row batches into one digest: each column is hashed apart, then the digests together.

    Numbers enter as little-endian int32, lists and strings as their lengths and, apart from them,
    their values; so the digest is the same however the rows are cut into batches.
    """

    def __init__(self) -> None:
        self._digests: dict[str, hashlib._Hash] = {}

    def update(self, rows: pa.RecordBatch) -> None:
        """Add rows in their order; `row_id` follows from the other columns and is left out."""
        ids, segments = rows.column("input_ids"), rows.column("segments")
        self._add("input_ids.lengths", ids.value_lengths())
        self._add("input_ids", ids.flatten())
        self._add("segments.lengths", segments.value_lengths())
        flat = segments.flatten()
        for name in _HASHED_SEGMENT_FIELDS:
            self._add(f"segments.{name}", flat.field(name))
        self._add("next_token", rows.column("next_token"))
        for name in rows.schema.names[len(ROW_SCHEMA) :]:
            column = rows.column(name)
            self._add(name, column.flatten() if pa.types.is_list(column.type) else column)

    def _add(self, name: str, values: pa.Array) -> None:
        if pa.types.is_string(values.type):
            self._add(f"{name}.lengths", pc.binary_length(values))
            self._digest(name).update("".join(values.to_pylist()).encode())
        else:
            self._digest(name).update(_int32_bytes(values))

    def _digest(self, name: str) -> hashlib._Hash:
        return self._digests.setdefault(name, hashlib.sha256())

    def hexdigest(self) -> str:
        """SHA-256 over (column name, column digest), sorted by name."""
        whole = hashlib.sha256()
        for name, digest in sorted(self._digests.items()):
            whole.update(name.encode() + b"\0" + digest.digest())
        return whole.hexdigest()


def _int32_bytes(values: pa.Array) -> bytes:
    """Little-endian bytes of an int32 array without nulls, whatever its slice offset."""
    if values.null_count:
        raise ContractError(f"packed rows hold {values.null_count} nulls where none may be")
    array = values.cast(pa.int32())
    return memoryview(array.to_numpy(zero_copy_only=True).astype("<i4", copy=False)).tobytes()


def content_sha256(batches: Iterable[pa.RecordBatch]) -> str:
    """Digest of rows in their order, however they are cut into batches."""
    hasher = ContentHasher()
    for batch in batches:
        hasher.update(batch)
    return hasher.hexdigest()


def read_row_groups(path: Path) -> Iterable[pa.RecordBatch]:
    """Yield each row group of a shard as one batch.

    Raises:
        ContractError: The file is no Parquet, is cut short, or has other columns.
    """
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            extra = names[len(ROW_SCHEMA) :]
            if names[: len(ROW_SCHEMA)] != ROW_SCHEMA.names or not set(extra) <= {
                *OPTIONAL_COLUMNS
            }:
                raise ContractError(
                    f"{path}: columns are {names}, expected {ROW_SCHEMA.names} and some of "
                    f"{[*OPTIONAL_COLUMNS]}"
                )
            schema = row_schema(extra)
            for group in range(file.num_row_groups):
                table = file.read_row_group(group).cast(schema)
                yield from table.combine_chunks().to_batches()
    except (OSError, pa.ArrowInvalid) as error:
        raise ContractError(f"{path}: not a readable shard: {error}", entity=str(path)) from error
