"""Read Parquet files: one document per row, whatever the other columns hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from refinery.sources.config import FieldMapping
from refinery.sources.members import BROKEN
from refinery.sources.record import UNFORESEEN, Broken, Outcome, short_message
from refinery.sources.rows import row_outcome

PARQUET_ROWS = 64


def read_parquet(stream: BinaryIO, *, fields: FieldMapping, max_bytes: int) -> Iterator[Outcome]:
    """Read a document from each row, in small batches; the text may be strings or bytes.

    A row group that cannot be read is one reject; the ones behind it are read.
    """
    try:
        file = pq.ParquetFile(stream)
    except (pa.ArrowException, OSError, ValueError) as error:
        yield Broken(offset=0, reason=BROKEN, message=short_message(error))
        return
    first = 0
    for group in range(file.num_row_groups):
        number = first
        try:
            for batch in file.iter_batches(batch_size=PARQUET_ROWS, row_groups=[group]):
                for row in rows_of(batch):
                    yield row_outcome(row, number, fields, max_bytes)
                    number += 1
        except (pa.ArrowException, OSError, ValueError) as error:
            message = f"row group {group} from row {number} on: {error}"
            yield Broken(offset=number, reason=BROKEN, message=short_message(message))
        first += file.metadata.row_group(group).num_rows


def rows_of(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Rows as dictionaries; a value that Python's types do not hold becomes a text or None."""
    columns = {
        name: _values(column)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    for number in range(batch.num_rows):
        yield {name: values[number] for name, values in columns.items()}


def _values(column: pa.Array) -> list[Any]:
    try:
        return list(column.to_pylist())
    # Dates beyond the calendar (OverflowError), unknown zones (a KeyError), nanoseconds (ValueError),
    # texts that are not UTF-8 ...: whatever one value raises, it is that value alone that is odd.
    except UNFORESEEN:
        return [_value(scalar) for scalar in column]


def _value(scalar: pa.Scalar) -> Any:
    for convert in (_as_python, _as_text, _as_number, _as_bytes):
        try:
            return convert(scalar)
        except UNFORESEEN:
            continue
    return None


def _as_python(scalar: pa.Scalar) -> Any:
    return scalar.as_py()


def _as_text(scalar: pa.Scalar) -> Any:
    text = scalar.cast(pa.string()).as_py()
    if text is not None and text.startswith("<value out of range"):
        raise ValueError(text)
    return text


def _as_number(scalar: pa.Scalar) -> Any:
    width = scalar.type.bit_width
    return scalar.cast(pa.int32() if width == 32 else pa.int64()).as_py()


def _as_bytes(scalar: pa.Scalar) -> Any:
    return scalar.as_buffer().to_pybytes()
