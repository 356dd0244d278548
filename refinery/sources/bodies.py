"""Read HTTP responses as archives keep them: status, header fields, and the body without its codings."""

from __future__ import annotations

import re
from dataclasses import dataclass

from refinery.sources.chunks import join_chunks
from refinery.sources.codings import BodyError, undo_codings
from refinery.sources.media_types import media_type

__all__ = ["BodyError", "Response", "decode_body", "parse_response"]

_STATUS = re.compile(rb"\s{0,8}(?:HTTP/\d(?:\.\d+)?|ICY)[ \t]+(\d{3})", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.+-]{2,40})", re.IGNORECASE)
_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True)
class Response:
    """Header fields by lower-case name, the raw body, and the status where a status line names one."""

    fields: dict[str, str]
    body: bytes
    status: int | None = None

    @property
    def mime(self) -> str:
        """Media type without parameters, in lower case; empty where none is named."""
        return media_type(self.fields.get("content-type", ""))

    @property
    def charset(self) -> str | None:
        parameter = _CHARSET.search(self.fields.get("content-type", ""))
        return parameter[1] if parameter else None


@dataclass(frozen=True)
class Body:
    """A decoded body, and whether a part of its transfer encoding was damaged."""

    data: bytes
    is_damaged: bool


def parse_response(block: bytes, content_type: str = "") -> Response:
    """Split a block at its empty line; a block without a status line is a body of `content_type`.

    Some archives end header lines with a bare line feed (ClueWeb09), so both forms are read.
    """
    status = _STATUS.match(block)
    if status is None:
        return Response({"content-type": content_type} if content_type else {}, block)
    end = _END.search(block)
    head = block[: end.start()] if end else block
    fields: dict[str, str] = {}
    for line in head.decode("latin-1").lstrip().split("\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return Response(fields, block[end.end() :] if end else b"", int(status[1]))


def decode_body(response: Response, max_bytes: int) -> Body:
    """Undo transfer and content encodings that the archive kept.

    Raises:
        BodyError: The body is larger than `max_bytes`, or damaged.
    """
    body, is_damaged = response.body, False
    if "chunked" in response.fields.get("transfer-encoding", "").lower():
        body, is_damaged = join_chunks(body)
    codings = response.fields.get("content-encoding", "")
    transfer = response.fields.get("transfer-encoding", "").lower().replace("chunked", "identity")
    return Body(undo_codings(body, f"{codings},{transfer}", max_bytes), is_damaged)
