"""Rows of tables to documents: the fields that a recipe names, all others as metadata."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from refinery.sources.config import FieldMapping
from refinery.sources.record import Broken, Fetch, Outcome, short_message, to_valid_text

NO_TEXT = "row:no_text"
_ABSENT = object()


def row_outcome(
    row: dict[str, Any],
    number: int,
    fields: FieldMapping,
    max_bytes: int,
    *,
    charset: str | None = "utf-8",
    note: Mapping[str, str] | None = None,
) -> Outcome:
    """The document of one row, or why there is none.

    Args:
        row: Its values by field; the row is used up.
        number: Its number in the file.
        fields: Names of the fields.
        max_bytes: Most bytes of a text.
        charset: Charset of the file, where the text is a string.
        note: What the reader had to mend, for the metadata.
    """
    text = take_field(row, fields.text)
    if not isinstance(text, str | bytes):
        found = f"it holds {type(text).__name__}; " if text is not _ABSENT else ""
        names = ", ".join(sorted(map(str, row))) or "none"
        message = f"no text field '{fields.text}': {found}fields found: {names}"
        return Broken(offset=number, reason=NO_TEXT, message=short_message(message))
    payload = text if isinstance(text, bytes) else to_valid_text(text).encode()
    url = take_field(row, fields.url) if fields.url else None
    address = to_valid_text(url) if isinstance(url, str) and url else None
    if len(payload) > max_bytes:
        message = f"{len(payload)} bytes, at most {max_bytes}"
        return Broken(offset=number, reason="document:too_large", message=message, url=address)
    fetched_at = take_field(row, fields.fetched_at) if fields.fetched_at else None
    return Fetch(
        payload=payload,
        offset=number,
        mime=fields.mime,
        url=address,
        fetched_at=utc_time(fetched_at),
        charset=charset if isinstance(text, str) else None,
        meta=to_meta({**row, **(note or {})}),
    )


def take_field(row: dict[str, Any], name: str) -> Any:
    """Take a field out of a row; dots lead into objects where no field has the whole name."""
    if name in row:
        return row.pop(name)
    first, dot, rest = name.partition(".")
    inner = row.get(first)
    if not dot or not isinstance(inner, dict):
        return _ABSENT
    inner = dict(inner)
    value = take_field(inner, rest)
    row[first] = inner
    if not inner:
        del row[first]
    return value


def to_meta(row: Mapping[str, Any]) -> str:
    """Metadata as a JSON object that any reader takes: what JSON does not know becomes text."""
    try:
        text = json.dumps(row, ensure_ascii=False, sort_keys=True, default=_shown, allow_nan=False)
    except (ValueError, TypeError):  # NaN and infinity, or keys that are no strings
        text = json.dumps(_plain(row), ensure_ascii=False, sort_keys=True, default=_shown)
    return to_valid_text(text)


def _shown(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def utc_time(value: Any) -> datetime | None:
    """Turn ISO 8601 or a timestamp into naive UTC; anything else is None."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    try:
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    except (ValueError, OverflowError):  # the first or last day of the calendar in another zone
        return None
