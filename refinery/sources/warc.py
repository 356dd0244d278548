"""Read WARC archives: HTML and plain text become fetches, all other records are counted by type.

Records are streamed. A damaged record or member costs what it holds itself and gives one reject; the
reader goes on at the next line that begins a record. Archives whose line ends became bare line feeds
are read, too: there a record is shorter than its declared length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import BinaryIO

from refinery.sources.bodies import parse_response
from refinery.sources.config import DEFAULT_STATUSES
from refinery.sources.media_types import is_media_type
from refinery.sources.members import BROKEN, START_BYTES, TRUNCATED, DamageError, Members
from refinery.sources.record import Broken, NoDocument, Outcome, short_message
from refinery.sources.responses import Origin, outcome_of

_DOCUMENTS = ("response", "resource", "conversion")
_KIND = re.compile(r"[a-z][a-z_-]{0,30}")
_LINE_BYTES = 1 << 20
_MOST_HEADER_BYTES = 4 << 20
_VERSION = re.compile(rb"WARC/\d", re.IGNORECASE)
# The line that begins a record, behind a line end: what a search for the next record looks for.
_NEXT = re.compile(rb"\n\s*(WARC/[01]\.\d+[ \t]*\r?\n[A-Za-z-]+[ \t]*:)", re.IGNORECASE)
_TIME = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d*))?)?)?)?)?"
)
_ZONE = re.compile(r"([+-])(\d\d):?(\d\d)?$")


@dataclass(frozen=True)
class _Record:
    """One record: header fields by lower-case name, and its block."""

    offset: int
    fields: Mapping[str, str]
    block: bytes
    note: str | None = None

    @property
    def url(self) -> str | None:
        return self.fields.get("warc-target-uri", "").strip("<> ") or None


class _Unreadable(Exception):  # noqa: N818 (becomes a reject; the reader goes on)
    """Bytes that are no record, or one whose block cannot be told from the next record."""


def read_warc(
    stream: BinaryIO, *, max_bytes: int, statuses: tuple[int, ...] | None = DEFAULT_STATUSES
) -> Iterator[Outcome]:
    """Yield every record of an archive as an outcome.

    Args:
        stream: The archive, of plain records or of gzip or zstd members; only read forward.
        max_bytes: Larger bodies become rejects before they are held in memory whole.
        statuses: HTTP statuses whose bodies are content; None for all.
    """
    members = Members(stream, lambda data: _VERSION.match(data) is not None)
    last, offset = -1, 0
    while True:
        try:
            if not _skip_blank(members):
                return
            # Several records of one member count on from its start, so that no two share an offset.
            offset = max(members.offset, last + 1)
            last = offset
            outcome = _read_record(members, offset, max_bytes, statuses)
        except DamageError as error:
            yield Broken(offset=offset, reason=error.reason, message=short_message(error))
            members.discard()
            continue
        except _Unreadable as error:
            yield from _pass_over(members, error, offset)
            continue
        yield outcome
        yield from _end_of_member(members, offset)


def _pass_over(members: Members, error: _Unreadable, offset: int) -> Iterator[Broken]:
    """Go to the next record behind bytes that are none."""
    try:
        passed = members.find_record(_NEXT)
        message = f"{error}; {passed} bytes behind it were passed over"
        yield Broken(offset=offset, reason=BROKEN, message=short_message(message))
    except DamageError as damage:
        message = f"{error}; then {damage}"
        yield Broken(offset=offset, reason=damage.reason, message=short_message(message))
        members.discard()


def _skip_blank(members: Members) -> bool:
    """Pass over line ends between records; False at the end of the archive."""
    while head := members.peek(1):
        if head not in b"\r\n \t\0":
            return True
        members.read(1)
    return False


def _end_of_member(members: Members, offset: int) -> Iterator[Broken]:
    """Say where the member of a whole record lacks its end."""
    try:
        members.finish_member()
        error = members.take_cut()
    except DamageError as damage:
        error = damage
    if error is not None:
        yield Broken(offset=offset, reason=error.reason, message=short_message(error))
        members.discard()


def _read_record(
    members: Members, offset: int, max_bytes: int, statuses: tuple[int, ...] | None
) -> Outcome:
    fields, ends_bare = _header(members)
    length = fields.get("content-length", "").strip()
    if not (length.isascii() and length.isdigit()):
        raise _Unreadable(f"a record without a length: Content-Length {length[:40]!r}")
    kind = fields.get("warc-type", "").strip().lower()
    kind = kind if _KIND.fullmatch(kind) else "unknown"
    size = int(length)
    if size > max_bytes:
        url = fields.get("warc-target-uri", "").strip("<> ") or None
        # A length that is wrong must not swallow the records behind it.
        members.find_record(_NEXT, most=size)
        if kind not in _DOCUMENTS:
            return NoDocument(type=kind)
        message = f"{size} bytes, at most {max_bytes}"
        return Broken(offset=offset, reason="document:too_large", message=message, url=url)
    block, is_followed = _block(members, size)
    record = _Record(offset, fields, block)
    missing = size - len(block)
    # CR LF may have become LF after the length was written.
    if missing and not (ends_bare and missing <= 2 * block.count(b"\n") + 4):
        message = f"{len(block)} of {size} bytes are there"
        if not block.strip() or not is_followed:
            return Broken(offset=offset, reason=TRUNCATED, message=message, url=record.url)
        record = replace(record, note=f"the record is shorter than it says: {message}")
    return _outcome(record, kind, max_bytes, statuses)


def _header(members: Members) -> tuple[dict[str, str], bool]:
    """Fields by lower-case name, the first of each counting, and whether lines end without CR.

    Raises:
        _Unreadable: The next bytes are no header of a record.
    """
    version = members.readline(_LINE_BYTES)
    if not _VERSION.match(version):
        raise _Unreadable(f"no record begins with {version[:60]!r}")
    fields: dict[str, str] = {}
    name, size = "", 0
    while (line := members.readline(_LINE_BYTES)).strip():
        size += len(line)
        if size > _MOST_HEADER_BYTES:
            raise _Unreadable(f"a header of more than {_MOST_HEADER_BYTES} bytes")
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text[0] in " \t" and name:  # a folded line goes on with the field before
            fields[name] += " " + text.strip()
            continue
        key, colon, value = text.partition(":")
        if colon:
            name = key.strip().lower()
            fields.setdefault(name, value.strip())
    if not line:
        raise DamageError(TRUNCATED, "the header of a record is cut short")
    return fields, not version.endswith(b"\r\n")


def _block(members: Members, size: int) -> tuple[bytes, bool]:
    """The block of a record, and whether a record or the end of its member follows it.

    A block that is followed by no record and holds one was shorter than its header says.
    """
    block = members.read(size)
    if len(block) == size and _is_followed(members):
        return block, True
    found = _NEXT.search(b"\n" + block + members.peek(START_BYTES))
    if found and (end := found.start(1) - 1) < len(block):
        members.push_back(block[end:])
        return block[:end].rstrip(b"\r\n"), True
    return block, False


def _is_followed(members: Members) -> bool:
    """Whether a record or the end of its member comes next."""
    if members.is_compressed:
        members.finish_member()
        if members.at_member_end:
            return True
    head = members.peek(START_BYTES).lstrip(b"\r\n \t\0")
    return not head or _VERSION.match(head) is not None


def _outcome(
    record: _Record, kind: str, max_bytes: int, statuses: tuple[int, ...] | None
) -> Outcome:
    if kind not in _DOCUMENTS:
        return NoDocument(type=kind)
    declared = record.fields.get("content-type", "")
    if kind == "conversion":  # WET files: text that the archive extracted
        declared = declared or "text/plain"
    is_http = "application/http" in declared.lower()
    response = parse_response(record.block, "" if is_http else declared)
    identified = record.fields.get("warc-identified-payload-type", "")
    if identified and not is_media_type(response.fields.get("content-type", "")):
        response.fields["content-type"] = identified
    origin = Origin(
        record.offset, record.url, warc_time(record.fields.get("warc-date", "")), record.note
    )
    return outcome_of(response, origin, max_bytes=max_bytes, statuses=statuses)


def warc_time(text: str) -> datetime | None:
    """A time of WARC 1.0 or 1.1, whole or down to the year, as naive UTC; None for anything else."""
    text = text.strip()
    found = _TIME.match(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    micros = int(f"{found[7] or 0:0<6}"[:6])
    zone = _ZONE.search(text[found.end() :])
    try:
        moment = datetime(year, month or 1, day or 1, hour, minute, min(second, 59), micros, UTC)
        if zone is not None:
            shift = datetime(1970, 1, 1, int(zone[2]), int(zone[3] or 0)) - datetime(1970, 1, 1)
            moment = moment - shift if zone[1] == "+" else moment + shift
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=None)
