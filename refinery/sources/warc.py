"""WARC archives: HTML and plain-text responses as fetches, everything else counted by type.

Records are streamed; a damaged archive yields its records up to the damage and one reject.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

import brotli
from fastwarc.warc import ArchiveIterator

from refinery.sources.record import Broken, Fetch, NoDocument, Outcome, short_message

TRUNCATED = "archive:truncated"
TEXT_TYPES = {"text/html", "application/xhtml+xml", "text/plain"}
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<?xml")
_DOCUMENTS = ("response", "resource")


class BodyError(ValueError):
    """A body that its declared encoding does not fit."""


def read_warc(stream: BinaryIO, *, max_bytes: int) -> Iterator[Outcome]:
    """Yield every record of an archive as an outcome.

    Args:
        stream: Opened archive; gzip and zstd members are recognised by the library.
        max_bytes: Larger bodies become rejects before they are held in memory whole.
    """
    offset, is_cut = 0, False
    try:
        for record in ArchiveIterator(stream, parse_http=True):
            offset = int(record.stream_pos)
            outcome = _outcome(record, offset, max_bytes)
            is_cut = isinstance(outcome, Broken) and outcome.reason == TRUNCATED
            yield outcome
        if not is_cut and _is_cut_gzip(stream):
            yield Broken(offset=offset, reason=TRUNCATED, message="gzip member cut short")
    except (OSError, ValueError, EOFError, RuntimeError) as error:
        yield Broken(offset=offset, reason="archive:broken", message=short_message(error))


def _is_cut_gzip(stream: BinaryIO) -> bool:
    """Whether a gzip stream ends inside a member; FastWARC itself stops there without a word."""
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
    http, expected = record.http_headers, int(record.content_length)
    body = record.reader.read(max_bytes + 1)
    if len(body) < expected:
        message = f"{len(body)} of {expected} bytes are there"
        return Broken(offset=offset, reason=TRUNCATED, message=message, url=url)
    mime = (record.http_content_type or record.headers.get("Content-Type", "")).split(";")[0]
    mime = mime.strip().lower()
    try:
        body = _decode_body(body, http, max_bytes)
    except BodyError as error:
        return Broken(offset=offset, reason="body:broken", message=str(error), url=url)
    if mime not in TEXT_TYPES and not (mime == "" and _looks_like_html(body)):
        return NoDocument(type="not_html")
    return Fetch(
        payload=body,
        offset=offset,
        mime="text/plain" if mime == "text/plain" else "text/html",
        url=url,
        fetched_at=_fetched_at(record),
        charset=record.http_charset or None,
    )


def _looks_like_html(body: bytes) -> bool:
    return body[:256].lstrip().lower().startswith(_HTML_STARTS)


def _fetched_at(record: Any) -> datetime | None:
    date = record.record_date
    return date.replace(tzinfo=None) if date is not None else None


def _decode_body(body: bytes, http: Any, max_bytes: int) -> bytes:
    """Undo transfer and content encodings that the archive kept.

    Many archives store bodies already decoded under their old headers: what does not start like the
    declared encoding is taken as it is.
    """
    if http is None:
        return body
    headers = {key.lower(): value.lower() for key, value in http.asdict().items()}
    if "chunked" in headers.get("transfer-encoding", ""):
        body = _unchunk(body)
    encoding = headers.get("content-encoding", "").strip()
    if encoding in ("gzip", "x-gzip") and body[:2] == b"\x1f\x8b":
        return _inflate(body, 31, max_bytes)
    if encoding == "deflate" and body:
        wbits = 15 if body[0] & 0x0F == 8 else -15
        return _inflate(body, wbits, max_bytes)
    if encoding == "br":
        return _unbrotli(body, max_bytes)
    return body


def _inflate(body: bytes, wbits: int, max_bytes: int) -> bytes:
    try:
        inflater = zlib.decompressobj(wbits)
        data = inflater.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise BodyError(f"content encoding: {error}") from error
    if len(data) > max_bytes:
        raise BodyError(f"inflates to more than {max_bytes} bytes")
    return data


def _unbrotli(body: bytes, max_bytes: int) -> bytes:
    decoder = brotli.Decompressor()
    pieces, size = [], 0
    try:
        for start in range(0, len(body), 1 << 14):
            piece = decoder.process(body[start : start + (1 << 14)])
            size += len(piece)
            if size > max_bytes:
                raise BodyError(f"brotli inflates to more than {max_bytes} bytes")
            pieces.append(piece)
    except brotli.error:
        return body
    return b"".join(pieces)


def _unchunk(body: bytes) -> bytes:
    """Join HTTP chunks; a body that is not chunked after all is returned as it is."""
    pieces: list[bytes] = []
    place = 0
    while True:
        end = body.find(b"\r\n", place, place + 32)
        size_text = body[place:end].split(b";")[0].strip() if end >= 0 else b""
        try:
            size = int(size_text, 16)
        except ValueError:
            return b"".join(pieces) if pieces else body
        if size == 0:
            return b"".join(pieces)
        pieces.append(body[end + 2 : end + 2 + size])
        place = end + 2 + size + 2
        if place >= len(body):
            return b"".join(pieces)
