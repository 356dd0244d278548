"""Read WARC archives: HTML and plain text become fetches, all other records are counted by type.

Records are streamed; a damaged archive yields its records up to the damage and one reject.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

from fastwarc.warc import ArchiveIterator

from refinery.sources.bodies import (
    BodyError,
    Response,
    decode_body,
    is_document,
    parse_response,
)
from refinery.sources.record import Broken, Fetch, NoDocument, Outcome, short_message

TRUNCATED = "archive:truncated"
_DOCUMENTS = ("response", "resource", "conversion")


def read_warc(stream: BinaryIO, *, max_bytes: int) -> Iterator[Outcome]:
    """Yield every record of an archive as an outcome.

    Args:
        stream: Opened archive; gzip and zstd members are recognised by the library.
        max_bytes: Larger bodies become rejects before they are held in memory whole.
    """
    offset, is_cut = 0, False
    try:
        for record in ArchiveIterator(stream, parse_http=False):
            offset = int(record.stream_pos)
            outcome = _outcome(record, offset, max_bytes)
            is_cut = isinstance(outcome, Broken) and outcome.reason == TRUNCATED
            yield outcome
        if not is_cut and _is_cut_gzip(stream):
            yield Broken(offset=offset, reason=TRUNCATED, message="gzip member cut short")
    except (OSError, ValueError, EOFError, RuntimeError) as error:
        yield Broken(offset=offset, reason="archive:broken", message=short_message(error))


def _is_cut_gzip(stream: BinaryIO) -> bool:
    """Whether a gzip stream ends inside a member; FastWARC stops there without an error."""
    try:
        stream.seek(0)
        if stream.read(2) != b"\x1f\x8b":
            return False
        stream.seek(0)
        inflater, data = zlib.decompressobj(31), b""
        while True:
            data = data or stream.read(1 << 18)
            if not data:
                return not inflater.eof
            inflater.decompress(data)
            data = inflater.unused_data
            if inflater.eof and data:
                inflater = zlib.decompressobj(31)
    except zlib.error:
        return True
    except OSError:
        return False


def _outcome(record: Any, offset: int, max_bytes: int) -> Outcome:
    kind = record.headers.get("WARC-Type", "unknown").lower()
    if kind not in _DOCUMENTS:
        return NoDocument(type=kind)
    url = record.headers.get("WARC-Target-URI", "").strip("<>") or None
    if record.content_length > max_bytes:
        message = f"{record.content_length} bytes, at most {max_bytes}"
        return Broken(offset=offset, reason="document:too_large", message=message, url=url)
    expected = int(record.content_length)
    block = record.reader.read(max_bytes + 1)
    if len(block) < expected:
        message = f"{len(block)} of {expected} bytes are there"
        return Broken(offset=offset, reason=TRUNCATED, message=message, url=url)
    declared = record.headers.get("Content-Type", "")
    if kind == "conversion":  # WET files: text that the archive extracted
        declared = declared or "text/plain"
    response = parse_response(block, declared)
    return outcome_of(
        response, offset=offset, url=url, fetched_at=_fetched_at(record), max_bytes=max_bytes
    )


def _fetched_at(record: Any) -> datetime | None:
    date = record.record_date
    return date.replace(tzinfo=None) if date is not None else None


def outcome_of(
    response: Response, *, offset: int, url: str | None, fetched_at: datetime | None, max_bytes: int
) -> Outcome:
    """Outcome of a response: a fetch, no document, or a body that cannot be decoded."""
    try:
        body = decode_body(response, max_bytes)
    except BodyError as error:
        return Broken(offset=offset, reason="body:broken", message=str(error), url=url)
    if not is_document(response, body):
        return NoDocument(type="not_html")
    return Fetch(
        payload=body,
        offset=offset,
        mime="text/plain" if response.mime == "text/plain" else "text/html",
        url=url,
        fetched_at=fetched_at,
        charset=response.charset,
    )
