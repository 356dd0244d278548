"""Outcomes of reading a record: a fetch, no document, or a broken one; and the id of a document."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from refinery.sources.urls import normalise_url
from schemas.fingerprints import sha256_hex

MESSAGE_CHARS = 500
# Media type of a text that an earlier run kept: it is neither extracted, normalised nor judged again.
KEPT_TEXT = "text/x-kept"
# What bytes of strangers may raise in a library below a reader: only readers, whose rejects name file,
# offset, type and message, catch all of it.
UNFORESEEN: tuple[type[Exception], ...] = (Exception,)


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """One fetched document; `payload` is the body after transfer and content decoding."""

    payload: bytes
    offset: int
    mime: str
    url: str | None = None
    fetched_at: datetime | None = None
    charset: str | None = None
    status: int | None = None
    meta: str = "{}"


@dataclass(frozen=True, kw_only=True)
class NoDocument:
    """A record that is no document; such records are counted by type."""

    type: str


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A record, or the rest of an archive, that could not be read."""

    offset: int
    reason: str
    message: str
    url: str | None = None


Outcome = Fetch | NoDocument | Broken


def document_id(url: str | None, payload: bytes) -> str:
    """First 32 hex digits of SHA-256 over the length-prefixed normalised URL and payload."""
    address = normalise_url(url).encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(len(address).to_bytes(8, "little") + address)
    digest.update(len(payload).to_bytes(8, "little"))
    digest.update(payload)
    return digest.hexdigest()[:32]


def to_valid_text(text: str) -> str:
    """Replace what UTF-8 cannot carry (lone surrogates) and NUL, which Parquet readers cut at."""
    if text.isascii():
        return text.replace("\0", "\ufffd")
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def short_message(error: BaseException | str) -> str:
    """A bounded, valid message for a reject row."""
    return to_valid_text(str(error))[:MESSAGE_CHARS]


def fetch_row(fetch: Fetch, priority: int) -> dict[str, Any]:
    """Columns of the table `fetches` but those that tell where the fetch was read."""
    return {
        "doc_id": document_id(fetch.url, fetch.payload),
        "url": fetch.url,
        "fetched_at": fetch.fetched_at,
        "mime": fetch.mime,
        "charset": fetch.charset,
        "status": fetch.status,
        "payload": fetch.payload,
        "payload_sha256": sha256_hex(fetch.payload),
        "meta": fetch.meta,
        "priority": priority,
        "offset": fetch.offset,
    }


def reject_row(broken: Broken) -> dict[str, Any]:
    """Columns of the table `rejects` but those that tell where the record was read."""
    return {
        "doc_id": None,
        "url": broken.url,
        "offset": broken.offset,
        "stage": "ingest",
        "reason": broken.reason,
        "message": short_message(broken.message),
    }
