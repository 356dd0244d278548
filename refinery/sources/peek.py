"""Look at the beginning of a file: what form its bytes have, and the fields of its first rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq

from refinery.sources.config import Format
from refinery.sources.csv_files import delimiter_of
from refinery.sources.files import DECODE_ERRORS, open_compressed
from refinery.sources.formats import format_of
from refinery.sources.forms import form_of
from refinery.sources.text_lines import charset_of_file

HEAD_BYTES = 1 << 16
MOST_ROW_BYTES = 8 << 20
ROWS = 20
_PAGE_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body")


def sniff(head: bytes) -> str | None:
    """The form that the first bytes show for certain; None where they could be any text."""
    if (form := form_of(head)) is not None:
        return "warc" if form == "arc" else form
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:20].lower().startswith(_PAGE_STARTS):
        return "html"
    line = text.split(b"\n", 1)[0].strip()
    if line.startswith(b"{") and _is_object(line):
        return "jsonl"
    return None


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def sniff_file(stream: BinaryIO, name: str) -> str | None:
    """The form of a file behind the compression that its bytes tell."""
    raw = stream.read(HEAD_BYTES)
    stream.seek(0)
    try:
        plain = open_compressed(io.BytesIO(raw)).read1(HEAD_BYTES)  # type: ignore[attr-defined]
    except (*DECODE_ERRORS, AttributeError):
        plain = raw
    return sniff(plain or raw)


def first_rows(stream: BinaryIO, name: str, kind: Format) -> list[dict[str, Any]]:
    """The first rows of a file of rows, by field; empty where it cannot be read.

    At most `ROWS` rows; nested objects stay objects.
    """
    try:
        if kind == "parquet" or (kind == "spark" and name.lower().endswith(".parquet")):
            return _parquet_rows(stream)
        if kind == "spark":
            return _orc_rows(stream)
        # Streams of stores read no line of bounded length; the wrapper must not close them.
        plain = io.BufferedReader(open_compressed(stream))  # type: ignore[type-var]
        try:
            return list(_json_rows(plain) if kind == "jsonl" else _csv_rows(plain, name))
        finally:
            plain.detach()
    except (*DECODE_ERRORS, ValueError, RecursionError, pa.ArrowException, csv.Error):
        return []


def _json_rows(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    head = stream.readline(MOST_ROW_BYTES)
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
        rows = json.loads(head + stream.read(MOST_ROW_BYTES))
        yield from (row for row in rows[:ROWS] if isinstance(row, dict))
        return
    for _ in range(ROWS):
        if head.strip():
            row = json.loads(head.removeprefix(b"\xef\xbb\xbf"))
            if isinstance(row, dict):
                yield row
        head = stream.readline(MOST_ROW_BYTES)


def _csv_rows(stream: BinaryIO, name: str) -> Iterator[dict[str, Any]]:
    data = stream.read(MOST_ROW_BYTES)
    text = data.decode(charset_of_file(data, None) or "utf-8", "replace").lstrip("\ufeff\r\n")
    usual = "\t" if format_of(name).variant == "tsv" else ","
    header, _, rest = text.partition("\n")
    delimiter = delimiter_of(header, usual)
    names = [cell.strip() for cell in next(csv.reader([header], delimiter=delimiter), [])]
    rows = csv.DictReader(io.StringIO(rest, newline=""), fieldnames=names, delimiter=delimiter)
    for number, row in enumerate(rows):
        if number == ROWS:
            return
        row.pop(None, None)
        yield dict(row)


def _orc_rows(stream: BinaryIO) -> list[dict[str, Any]]:
    file = orc.ORCFile(stream)
    if not file.nrows:
        return [dict.fromkeys(file.schema.names)]
    return _plain_rows(file.read_stripe(0).slice(0, ROWS))


def _parquet_rows(stream: BinaryIO) -> list[dict[str, Any]]:
    file = pq.ParquetFile(stream)
    batch = next(file.iter_batches(batch_size=ROWS), None)
    if batch is None:
        return [dict.fromkeys(file.schema_arrow.names)]
    return _plain_rows(batch)


def _plain_rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    columns = {field.name: _plain(batch.column(field.name)) for field in batch.schema}
    return [{name: values[row] for name, values in columns.items()} for row in range(len(batch))]


def _plain(column: pa.Array) -> list[Any]:
    """Python values; what Python's types cannot hold (a date beyond the calendar) becomes None."""
    try:
        return list(column.to_pylist())
    except (OverflowError, ValueError, pa.ArrowException):
        return [None] * len(column)
