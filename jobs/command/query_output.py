"""The answer of a query as a table for people, CSV or Parquet; rows are streamed."""

from __future__ import annotations

import os
import re
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from rich.cells import cell_len

FORMATS = ("table", "csv", "parquet")
# A table for people: beyond this, --format csv.
SHOWN_ROWS, SHOWN_CHARS = 1000, 300
# What moves the cursor or hides text; web pages hold it.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def write_result(batches: pa.RecordBatchReader, kind: str, out: Path | None) -> int:
    """Write all rows to a file or stdout; returns their number, as far as they were shown."""
    if kind == "table":
        return _write_table(batches, out)
    with _target(out) as sink:
        flat = (
            batches.schema
            if kind == "parquet"
            else pa.schema([_flat_field(f) for f in batches.schema])
        )
        writer = (
            pq.ParquetWriter(sink, flat, compression="zstd")
            if kind == "parquet"
            else pa_csv.CSVWriter(sink, flat)
        )
        rows = 0
        with writer:
            for batch in batches:
                writer.write_batch(batch if kind == "parquet" else _flat(batch, flat))
                rows += batch.num_rows
    return rows


@contextmanager
def _target(out: Path | None) -> Iterator[BinaryIO]:
    """Stdout, or a file that appears whole or not at all."""
    if out is None:
        yield sys.stdout.buffer
        return
    aside = out.with_name(f".{out.name}.{uuid.uuid4().hex}")
    try:
        with aside.open("wb") as sink:
            yield sink
        os.replace(aside, out)
    finally:
        aside.unlink(missing_ok=True)


def _flat_field(field: pa.Field) -> pa.Field:
    return pa.field(field.name, pa.string()) if _needs_text(field.type) else field


def _needs_text(kind: pa.DataType) -> bool:
    """Whether CSV has no form for a column: lists, maps, bytes."""
    kinds = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary)
    return any(is_kind(kind) for is_kind in kinds)


def _flat(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        pa.array([None if v is None else plain(v) for v in column.to_pylist()], pa.string())
        if _needs_text(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _write_table(batches: pa.RecordBatchReader, out: Path | None) -> int:
    rows = list(islice(_rows(batches), SHOWN_ROWS + 1))
    more = len(rows) > SHOWN_ROWS
    rows = rows[:SHOWN_ROWS]
    is_wide = out is not None or not sys.stdout.isatty()
    lines = table_lines(
        batches.schema, rows, None if is_wide else shutil.get_terminal_size().columns
    )
    if more:
        lines.append(f"... only the first {len(rows):,} rows; --format csv has all")
    with _target(out) as sink:
        sink.write(("\n".join(lines) + "\n").encode("utf-8", "replace"))
    return len(rows)


def _rows(batches: pa.RecordBatchReader) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def table_lines(schema: pa.Schema, rows: list[tuple[Any, ...]], width: int | None) -> list[str]:
    """Rows under their columns; where the terminal is too narrow for that, column by column."""
    if not rows:
        return ["no rows"]
    cells = [list(schema.names), *([shown(value) for value in row] for row in rows)]
    widths = [max(cell_len(row[i]) for row in cells) for i in range(len(schema))]
    if width is not None and sum(widths) + 2 * len(widths) > width:
        name_width = max(map(len, schema.names))
        return [
            line
            for number, row in enumerate(cells[1:], 1)
            for line in (
                f"-- row {number} " + "-" * 20,
                *(
                    f"{name:<{name_width}}  {cell}"
                    for name, cell in zip(cells[0], row, strict=True)
                ),
            )
        ]
    is_number = [_is_number(field.type) for field in schema]
    return [
        "  ".join(
            _padded(cell, size, right=number)
            for cell, size, number in zip(row, widths, is_number, strict=True)
        ).rstrip()
        for row in cells
    ]


def _is_number(kind: pa.DataType) -> bool:
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    return any(is_kind(kind) for is_kind in kinds)


def _padded(cell: str, size: int, *, right: bool) -> str:
    """A cell at the width of its column; Chinese characters are two columns wide."""
    gap = " " * (size - cell_len(cell))
    return f"{gap}{cell}" if right else f"{cell}{gap}"


def shown(value: Any) -> str:
    """A value for the terminal: bounded, on one line, without control characters of web pages."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    text = _CONTROL.sub("\ufffd", plain(value)).replace("\n", "⏎").replace("\t", " ")
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}…"


def plain(value: Any) -> str:
    """Lists, maps and bytes as text."""
    if isinstance(value, bytes):
        return value[:SHOWN_CHARS].decode("utf-8", "replace")
    if isinstance(value, dict):
        return ", ".join(f"{key}={plain(one)}" for key, one in value.items())
    if isinstance(value, list):
        pairs = all(isinstance(one, tuple) and len(one) == 2 for one in value)
        return ", ".join(f"{one[0]}={plain(one[1])}" if pairs else plain(one) for one in value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
