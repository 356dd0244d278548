"""HTML, JSONL and text files: one document per file, or one per line."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

import zstandard

from refinery.sources.config import FieldMapping
from refinery.sources.record import Broken, Fetch, Outcome, short_message, to_valid_text

DECODE_ERRORS = (OSError, EOFError, zlib.error, zstandard.ZstdError)


def open_compressed(stream: BinaryIO, name: str) -> BinaryIO:
    """The plain bytes of a stream, by the name's ending (.gz, .zst)."""
    if name.endswith(".gz"):
        return io.BufferedReader(gzip.GzipFile(fileobj=stream))
    if name.endswith(".zst"):
        return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(stream))
    return stream


def read_whole(
    stream: BinaryIO, *, mime: str, url: str | None, max_bytes: int
) -> Iterator[Outcome]:
    """One document per file."""
    try:
        payload = stream.read(max_bytes + 1)
    except DECODE_ERRORS as error:
        yield Broken(offset=0, reason="archive:broken", message=short_message(error))
        return
    if len(payload) > max_bytes:
        yield Broken(offset=0, reason="document:too_large", message=f"more than {max_bytes} bytes")
        return
    yield Fetch(payload=payload, offset=0, mime=mime, url=url)


def read_jsonl(stream: BinaryIO, *, fields: FieldMapping, max_bytes: int) -> Iterator[Outcome]:
    """One document per line; a bad line is one reject, a broken archive ends the file."""
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
    if not isinstance(row, dict) or not isinstance(row.get(fields.text), str):
        found = sorted(row) if isinstance(row, dict) else type(row).__name__
        message = short_message(f"no text field '{fields.text}', found {found}")
        return Broken(offset=number, reason="json:no_text", message=message)
    payload = to_valid_text(row.pop(fields.text)).encode()
    if len(payload) > max_bytes:
        message = f"{len(payload)} bytes, at most {max_bytes}"
        return Broken(offset=number, reason="document:too_large", message=message)
    url = row.pop(fields.url, None) if fields.url else None
    fetched_at = row.pop(fields.fetched_at, None) if fields.fetched_at else None
    return Fetch(
        payload=payload,
        offset=number,
        mime="text/plain",
        url=to_valid_text(url) if isinstance(url, str) else None,
        fetched_at=_timestamp(fetched_at),
        charset="utf-8",
        meta=to_valid_text(json.dumps(row, ensure_ascii=False, sort_keys=True)),
    )


def _timestamp(value: Any) -> datetime | None:
    """ISO 8601 to naive UTC; anything else is unknown."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
