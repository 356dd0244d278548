"""Read HTTP responses as archives keep them: header fields, and the body without its encodings."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

import brotli

TEXT_TYPES = {"text/html", "application/xhtml+xml", "text/plain"}
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<?xml")
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? \d{3}")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.+-]{2,40})", re.IGNORECASE)


class BodyError(ValueError):
    """A body that cannot be decoded by its declared encoding, or is too large."""


@dataclass(frozen=True)
class Response:
    """Header fields by lower-case name, and the raw body."""

    fields: dict[str, str]
    body: bytes

    @property
    def mime(self) -> str:
        """Media type without parameters, in lower case; empty where none is named."""
        return self.fields.get("content-type", "").split(";")[0].strip().lower()

    @property
    def charset(self) -> str | None:
        parameter = _CHARSET.search(self.fields.get("content-type", ""))
        return parameter[1] if parameter else None


def parse_response(block: bytes, content_type: str = "") -> Response:
    """Split a block at its empty line; a block without a status line is a body of `content_type`.

    Some archives end header lines with a bare line feed (ClueWeb09), so both forms are read.
    """
    if not _STATUS.match(block):
        return Response({"content-type": content_type} if content_type else {}, block)
    ends = [
        (offset, size)
        for mark, size in ((b"\r\n\r\n", 4), (b"\n\n", 2))
        if (offset := block.find(mark)) >= 0
    ]
    end, size = min(ends, default=(len(block), 0))
    fields: dict[str, str] = {}
    for line in block[:end].decode("latin-1").split("\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return Response(fields, block[end + size :])


def is_document(response: Response, body: bytes) -> bool:
    """Whether a decoded body is a page or plain text."""
    return response.mime in TEXT_TYPES or (not response.mime and looks_like_html(body))


def looks_like_html(body: bytes) -> bool:
    """Whether a body of no declared type begins like a page."""
    return body[:256].lstrip().lower().startswith(_HTML_STARTS)


def decode_body(response: Response, max_bytes: int) -> bytes:
    """Undo transfer and content encodings that the archive kept.

    Many archives store bodies already decoded under their old headers: what does not start like the
    declared encoding is taken as it is.

    Raises:
        BodyError: The body is larger than `max_bytes`, or damaged.
    """
    body = response.body
    if "chunked" in response.fields.get("transfer-encoding", "").lower():
        body = _unchunk(body)
    encoding = response.fields.get("content-encoding", "").strip().lower()
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
    """Join HTTP chunks; a body that has none, whatever its header says, is returned as it is."""
    pieces: list[bytes] = []
    offset = 0
    while True:
        end = body.find(b"\r\n", offset, offset + 32)
        size_text = body[offset:end].split(b";")[0].strip() if end >= 0 else b""
        try:
            size = int(size_text, 16)
        except ValueError:
            return b"".join(pieces) if pieces else body
        if size == 0:
            return b"".join(pieces)
        pieces.append(body[end + 2 : end + 2 + size])
        offset = end + 2 + size + 2
        if offset >= len(body):
            return b"".join(pieces)
