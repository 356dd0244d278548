"""Turn the responses of archives into outcomes: fetches, records that are none, and rejects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from refinery.sources.bodies import BodyError, Response, decode_body
from refinery.sources.media_types import is_text_or_page
from refinery.sources.record import Broken, Fetch, NoDocument, Outcome

NOTE = "reader_note"


@dataclass(frozen=True)
class Origin:
    """Where a response stands in its archive, where and when it was fetched, what is odd about it."""

    offset: int
    url: str | None
    fetched_at: datetime | None
    note: str | None = None


def outcome_of(
    response: Response, origin: Origin, *, max_bytes: int, statuses: tuple[int, ...] | None
) -> Outcome:
    """Outcome of a response: a fetch, no document, or a body that cannot be decoded.

    A page under a status that is no content (an error page, a redirect) is counted by its status.
    """
    has_content = statuses is None or response.status is None or response.status in statuses
    if not has_content:
        return NoDocument(type=f"status_{response.status}")
    try:
        body = decode_body(response, max_bytes)
    except BodyError as error:
        return Broken(
            offset=origin.offset, reason="body:broken", message=str(error), url=origin.url
        )
    if not is_text_or_page(response.fields.get("content-type", ""), body.data):
        return NoDocument(type="not_html")
    notes = [*filter(None, [origin.note]), *["a chunk of the body was damaged"] * body.is_damaged]
    return Fetch(
        payload=body.data,
        offset=origin.offset,
        mime="text/plain" if response.mime == "text/plain" else "text/html",
        url=origin.url,
        fetched_at=origin.fetched_at,
        charset=response.charset,
        status=response.status,
        meta=json.dumps({NOTE: "; ".join(notes)} if notes else {}),
    )
