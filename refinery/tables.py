"""Rows of several tables leaving one Python pass as Arrow batches of their union schema.

A stage crosses into Python once and still writes several tables: each row carries the name of its
table in the column `table` and leaves the columns of the others null. Spark writes the rows
partitioned by that column.
"""

from __future__ import annotations

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


def union_columns(tables: Sequence[str]) -> dict[str, str]:
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
    """The union schema as Spark DDL."""
    return ", ".join(f"`{name}` {kind}" for name, kind in union_columns(tables).items())


def arrow_schema(columns: dict[str, str]) -> pa.Schema:
    """Arrow schema for Spark types."""
    return pa.schema([pa.field(name, _ARROW_TYPES[kind]) for name, kind in columns.items()])


class UnionRows:
    """Collect rows and hand them out as batches bounded by rows and by bytes of payload."""

    def __init__(self, tables: Sequence[str]) -> None:
        self._schema = arrow_schema(union_columns(tables))
        self._known = {table: set(TABLES[table].column_names) for table in tables}
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0

    def add(self, table: str, **values: Any) -> Iterator[pa.RecordBatch]:
        """Add a row; yields a batch when enough have come together."""
        unknown = values.keys() - self._known[table]
        if unknown:
            raise KeyError(f"table '{table}' has no column {sorted(unknown)}")
        self._rows.append({"table": table, **values})
        self._bytes += sum(len(v) for v in values.values() if isinstance(v, bytes | str))
        if len(self._rows) >= FLUSH_ROWS or self._bytes >= FLUSH_BYTES:
            yield from self.flush()

    def flush(self) -> Iterator[pa.RecordBatch]:
        """Yield what is left, if anything."""
        if self._rows:
            yield pa.RecordBatch.from_pylist(self._rows, schema=self._schema)
            self._rows, self._bytes = [], 0
