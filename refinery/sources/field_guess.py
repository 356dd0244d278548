"""Guess which fields of rows hold the text, the address and the date, from names and values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

NAMES: dict[str, tuple[str, ...]] = {
    "text": ("text", "content", "raw_content", "body", "html", "page_content", "document", "article",
             "plaintext", "markdown", "review", "正文", "内容", "文本", "全文"),
    "url": ("url", "uri", "link", "source_url", "page_url", "address", "href", "warc_target_uri",
            "网址", "链接", "地址"),
    "date": ("fetched_at", "fetch_time", "crawl_date", "date_download", "warc_date", "date",
             "timestamp", "published", "published_at", "created", "created_at", "time", "日期", "时间"),
    "language": ("language", "lang", "languages", "语言"),
    "licence": ("license", "licence", "license_type", "rights", "许可"),
}  # fmt: skip
_URL = re.compile(r"^https?://\S+$")
_TAG = re.compile(r"<(?:!doctype html|html|head|body|div|p|h[1-6]|table|ul|a )", re.IGNORECASE)
_LEAST_CHARS = 8
_DEPTH = 3


@dataclass(frozen=True)
class FieldGuess:
    """Fields by what they seem to hold; None where none does. Dots lead into objects."""

    text: str | None
    url: str | None
    date: str | None
    language: str | None
    licence: str | None
    is_html: bool
    names: tuple[str, ...]


def guess_fields(rows: Sequence[Mapping[str, Any]]) -> FieldGuess:
    """Look at the first rows of a file."""
    columns = _columns(rows)
    text = _named("text", columns, _is_text) or _longest(columns)
    values = columns.get(text or "", [])
    return FieldGuess(
        text=text,
        url=_named("url", columns, _is_url) or _first(columns, _is_url),
        date=_named("date", columns, _is_date),
        language=_named("language", columns, _is_short),
        licence=_named("licence", columns, _is_short),
        is_html=bool(values)
        and sum(bool(_TAG.search(_str(v)[:2000])) for v in values) * 2 > len(values),
        names=tuple(columns),
    )


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Values by dotted name of the field, those that are not null."""
    columns: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in _flat(row, "", _DEPTH):
            column = columns.setdefault(name, [])
            if value is not None:
                column.append(value)
    return columns


def _flat(row: Mapping[str, Any], prefix: str, depth: int) -> Iterable[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, Mapping) and depth > 1:
            yield from _flat(value, f"{prefix}{name}.", depth - 1)
        else:
            yield f"{prefix}{name}", value


def _named(kind: str, columns: dict[str, list[Any]], fits: Callable[[Any], bool]) -> str | None:
    """The field whose name says so, the likeliest name first, and whose values do not deny it."""
    for wanted in NAMES[kind]:
        for name, values in columns.items():
            if name.rsplit(".", 1)[-1].lower() == wanted and all(map(fits, values)):
                return name
    return None


def _first(columns: dict[str, list[Any]], fits: Callable[[Any], bool]) -> str | None:
    return next(
        (name for name, values in columns.items() if values and all(map(fits, values))), None
    )


def _longest(columns: dict[str, list[Any]]) -> str | None:
    """The field with the most text; addresses and dates are none."""
    sizes = {
        name: sum(len(_str(value)) for value in values) / len(values)
        for name, values in columns.items()
        if values and all(map(_is_text, values)) and not any(map(_is_url, values))
    }
    best = max(sizes, key=lambda name: sizes[name], default=None)
    return best if best is not None and sizes[best] >= _LEAST_CHARS else None


def _str(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str | bytes)


def _is_url(value: Any) -> bool:
    return isinstance(value, str) and bool(_URL.match(value.strip()))


def _is_short(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 100


def _is_date(value: Any) -> bool:
    if isinstance(value, date | datetime):
        return True
    if not isinstance(value, str):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
