"""Read ARC archives, the format before WARC: each record is a header line and a response.

Version 1 (`URL IP date type length`) and version 2, whose lines carry more fields between type and
length. Records are streamed; behind a damaged one reading goes on at the next header line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

from refinery.sources.bodies import parse_response
from refinery.sources.config import DEFAULT_STATUSES
from refinery.sources.members import BROKEN, TRUNCATED, DamageError, Members
from refinery.sources.record import Broken, NoDocument, Outcome, short_message
from refinery.sources.responses import Origin, outcome_of

_LINE_BYTES = 64_000
_FEWEST_FIELDS = 5
_HEADER = rb"(?:https?|ftp|dns|filedesc|warcinfo|whois):\S+ \S+ \d{8,14} "
_STARTS = re.compile(_HEADER, re.IGNORECASE)
_NEXT = re.compile(rb"\n\s*(" + _HEADER + rb")", re.IGNORECASE)


def read_arc(
    stream: BinaryIO, *, max_bytes: int, statuses: tuple[int, ...] | None = DEFAULT_STATUSES
) -> Iterator[Outcome]:
    """Yield every record of an archive as an outcome; `offset` counts records."""
    members = Members(stream, lambda data: _STARTS.match(data) is not None)
    number = 0
    while True:
        try:
            while (line := members.readline(_LINE_BYTES)) and not line.strip(b"\r\n \t\0"):
                pass
            if not line:
                return
            outcome = _record(members, line, number, max_bytes, statuses)
            is_damaged = isinstance(outcome, Broken) and outcome.reason == BROKEN
            yield outcome
            if is_damaged:
                members.find_record(_NEXT)
        except DamageError as error:
            yield Broken(offset=number, reason=error.reason, message=short_message(error))
            members.discard()
        number += 1


def _record(
    members: Members, line: bytes, number: int, most: int, statuses: tuple[int, ...] | None
) -> Outcome:
    """One record, whose header line has been read."""
    fields = line.decode("utf-8", "replace").split()
    length = fields[-1] if len(fields) >= _FEWEST_FIELDS else ""
    if not length.isascii() or not length.isdigit():
        message = short_message(f"no ARC header line: {line[:100]!r}")
        return Broken(offset=number, reason=BROKEN, message=message)
    url, size = fields[0], int(length)
    if size > most:
        members.find_record(_NEXT, most=size)
        message = f"{size} bytes, at most {most}"
        return Broken(offset=number, reason="document:too_large", message=message, url=url)
    block = members.read(size)
    if len(block) < size:
        if found := _NEXT.search(block):
            members.push_back(block[found.start(1) :])
        message = f"{len(block)} of {size} bytes are there"
        return Broken(offset=number, reason=TRUNCATED, message=message, url=url)
    if url.startswith("filedesc:"):
        return NoDocument(type="filedesc")
    if not url.startswith(("http:", "https:")):
        return NoDocument(type=url.partition(":")[0][:20] or "unknown")
    response = parse_response(block, fields[3])
    origin = Origin(number, url, _moment(fields[2]))
    return outcome_of(response, origin, max_bytes=most, statuses=statuses)


def _moment(digits: str) -> datetime | None:
    try:
        return datetime.strptime(digits[:14], "%Y%m%d%H%M%S")
    except ValueError:
        return None
