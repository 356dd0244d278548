"""Rows of several tables leaving one Python pass as Arrow batches of their union schema.

A stage crosses into Python once and still writes several tables: each row carries the name of its
table in the column `table` and leaves the columns of the others null. Spark writes the rows
partitioned by that column.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from schemas.tables import TABLES

FLUSH_BYTES = 16 << 20
FLUSH_ROWS = 1000

_ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "binary": pa.binary(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "array<string>": pa.list_(pa.string()),
    "array<int>": pa.list_(pa.int32()),
    "array<bigint>": pa.list_(pa.int64()),
    "map<string,double>": pa.map_(pa.string(), pa.float64()),
    "map<string,bigint>": pa.map_(pa.string(), pa.int64()),
}


def _union_columns(tables: Sequence[str]) -> dict[str, str]:
    """Spark type by column over several tables, `table` first.

    Raises:
        ValueError: Two tables give one name two types.
    """
    columns = {"table": "string"}
    for table in tables:
        for column in TABLES[table].columns:
            if columns.setdefault(column.name, column.type) != column.type:
                raise ValueError(f"column '{column.name}' has two types in {', '.join(tables)}")
    return columns


def union_ddl(tables: Sequence[str]) -> str:
    """The schema of `union_columns` as Spark DDL."""
    return ", ".join(f"`{name}` {kind}" for name, kind in _union_columns(tables).items())


def arrow_schema(columns: dict[str, str]) -> pa.Schema:
    """The Arrow schema of columns whose types are given in Spark's names."""
    return pa.schema([pa.field(name, _ARROW_TYPES[kind]) for name, kind in columns.items()])


class UnionRows:
    """Collects rows and hands them out as batches bounded by rows and by bytes of payload.

    Ask for `full_batches` after each document, so that memory stays bounded, and for
    `remaining_batches` at the end. Each row leaves in exactly one batch, in the order of `append`.
    """

    def __init__(self, tables: Sequence[str]) -> None:
        self._schema = arrow_schema(_union_columns(tables))
        self._known = {table: set(TABLES[table].column_names) for table in tables}
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._full: deque[pa.RecordBatch] = deque()

    def append(self, table: str, **values: Any) -> None:
        """Add a row; columns that are not named are null.

        Raises:
            KeyError: The table has no such column.
        """
        unknown = values.keys() - self._known[table]
        if unknown:
            raise KeyError(f"table '{table}' has no column {sorted(unknown)}")
        self._rows.append({"table": table, **values})
        self._bytes += sum(len(v) for v in values.values() if isinstance(v, bytes | str))
        if len(self._rows) >= FLUSH_ROWS or self._bytes >= FLUSH_BYTES:
            self._close_batch()

    def full_batches(self) -> Iterator[pa.RecordBatch]:
        """Hand out the batches that are full; rows of an unfinished one stay."""
        while self._full:
            yield self._full.popleft()

    def remaining_batches(self) -> Iterator[pa.RecordBatch]:
        """Hand out all rows that are left."""
        if self._rows:
            self._close_batch()
        yield from self.full_batches()

    def _close_batch(self) -> None:
        self._full.append(pa.RecordBatch.from_pylist(self._rows, schema=self._schema))
        self._rows, self._bytes = [], 0
