"""Read ARC archives, the format before WARC: each record is a header line and a response.

Version 1 (`URL IP date type length`) and version 2, whose lines carry more fields between type and
length. Records are streamed; what follows a damaged header line cannot be trusted and ends the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

from refinery.sources.bodies import parse_response
from refinery.sources.files import DECODE_ERRORS
from refinery.sources.record import Broken, NoDocument, Outcome, short_message
from refinery.sources.warc import TRUNCATED, outcome_of

_LINE_BYTES = 64_000
_FEWEST_FIELDS = 5


def read_arc(stream: BinaryIO, *, max_bytes: int) -> Iterator[Outcome]:
    """Yield every record of a decompressed archive as an outcome; `offset` counts records."""
    number = 0
    try:
        while (line := stream.readline(_LINE_BYTES)) and not line.strip():
            pass
        while line:
            outcome, is_sound = _record(stream, line, number, max_bytes)
            yield outcome
            if not is_sound:
                return
            number += 1
            while (line := stream.readline(_LINE_BYTES)) and not line.strip():
                pass
    except DECODE_ERRORS as error:
        yield Broken(offset=number, reason="archive:broken", message=short_message(error))


def _record(stream: BinaryIO, line: bytes, number: int, most: int) -> tuple[Outcome, bool]:
    """One record, and whether the next one can be found after it."""
    fields = line.decode("utf-8", "replace").split()
    length = fields[-1] if len(fields) >= _FEWEST_FIELDS else ""
    if not length.isascii() or not length.isdigit():
        message = short_message(f"no ARC header line: {line[:100]!r}")
        return Broken(offset=number, reason="archive:broken", message=message), False
    url, size = fields[0], int(length)
    if size > most:
        rest = size
        while rest and (piece := stream.read(min(rest, 1 << 20))):
            rest -= len(piece)
        message = f"{size} bytes, at most {most}"
        return Broken(offset=number, reason="document:too_large", message=message, url=url), True
    block = stream.read(size)
    if len(block) < size:
        message = f"{len(block)} of {size} bytes are there"
        return Broken(offset=number, reason=TRUNCATED, message=message, url=url), False
    if url.startswith("filedesc:"):
        return NoDocument(type="filedesc"), True
    if not url.startswith(("http:", "https:")):
        return NoDocument(type=url.partition(":")[0][:20] or "unknown"), True
    response = parse_response(block, fields[3])
    moment = _moment(fields[2])
    return outcome_of(response, offset=number, url=url, fetched_at=moment, max_bytes=most), True


def _moment(digits: str) -> datetime | None:
    try:
        return datetime.strptime(digits[:14], "%Y%m%d%H%M%S")
    except ValueError:
        return None
