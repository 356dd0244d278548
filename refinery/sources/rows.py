"""Read JSONL, Parquet and CSV files: one document per row, from fields that the recipe names."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from refinery.sources.config import FieldMapping
from refinery.sources.files import DECODE_ERRORS
from refinery.sources.record import Broken, Fetch, Outcome, short_message, to_valid_text

PARQUET_ROWS = 64


def read_jsonl(stream: BinaryIO, *, fields: FieldMapping, max_bytes: int) -> Iterator[Outcome]:
    """Read a document from each line; a bad line is one reject, a broken archive ends the file."""
    number = 0
    try:
        while line := stream.readline(2 * max_bytes):
            if line.strip():
                yield _json_row(line, number, fields, max_bytes)
            number += 1
    except DECODE_ERRORS as error:
        yield Broken(offset=number, reason="archive:broken", message=short_message(error))


def _json_row(line: bytes, number: int, fields: FieldMapping, max_bytes: int) -> Outcome:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Broken(offset=number, reason="json:broken", message=short_message(error))
    if not isinstance(row, dict):
        message = f"no text field '{fields.text}', found {type(row).__name__}"
        return Broken(offset=number, reason="row:no_text", message=message)
    return _row(row, number, fields, max_bytes)


def read_parquet(stream: BinaryIO, *, fields: FieldMapping, max_bytes: int) -> Iterator[Outcome]:
    """Read a document from each row, in small batches; the text may be strings or bytes."""
    number = 0
    try:
        for batch in pq.ParquetFile(stream).iter_batches(batch_size=PARQUET_ROWS):
            for row in batch.to_pylist():
                yield _row(row, number, fields, max_bytes)
                number += 1
    except (pa.ArrowException, OSError, ValueError) as error:
        yield Broken(offset=number, reason="archive:broken", message=short_message(error))


def read_csv(
    stream: BinaryIO, *, delimiter: str, fields: FieldMapping, max_bytes: int
) -> Iterator[Outcome]:
    """Read a document from each row below the header line; bytes that are not UTF-8 are replaced."""
    csv.field_size_limit(2 * max_bytes)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    number = 0
    try:
        for row in csv.DictReader(text, delimiter=delimiter):
            row.pop(None, None)  # cells beyond the header
            yield _row(dict(row), number, fields, max_bytes)
            number += 1
    except (*DECODE_ERRORS, csv.Error) as error:
        yield Broken(offset=number, reason="archive:broken", message=short_message(error))


def _row(row: dict[str, Any], number: int, fields: FieldMapping, max_bytes: int) -> Outcome:
    text = row.pop(fields.text, None)
    if not isinstance(text, str | bytes):
        message = short_message(f"no text field '{fields.text}', found {sorted(map(str, row))}")
        return Broken(offset=number, reason="row:no_text", message=message)
    payload = text if isinstance(text, bytes) else to_valid_text(text).encode()
    url = row.pop(fields.url, None) if fields.url else None
    address = to_valid_text(url) if isinstance(url, str) and url else None
    if len(payload) > max_bytes:
        message = f"{len(payload)} bytes, at most {max_bytes}"
        return Broken(offset=number, reason="document:too_large", message=message, url=address)
    fetched_at = row.pop(fields.fetched_at, None) if fields.fetched_at else None
    return Fetch(
        payload=payload,
        offset=number,
        mime=fields.mime,
        url=address,
        fetched_at=_timestamp(fetched_at),
        charset="utf-8" if isinstance(text, str) else None,
        meta=to_valid_text(json.dumps(row, ensure_ascii=False, sort_keys=True, default=str)),
    )


def _timestamp(value: Any) -> datetime | None:
    """Turn ISO 8601 or a timestamp into naive UTC; anything else is None."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
