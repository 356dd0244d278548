"""What a page says about itself: language, date, and text that it holds only as JSON-LD.

All of it is searched for in the markup, not in a tree: most pages need a few microseconds.
"""

from __future__ import annotations

import html as html_entities
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

HEAD_CHARS = 300_000
MOST_DATA_CHARS = 2_000_000
_LANGUAGE = re.compile(
    r"<html\b[^>]{0,500}?\blang\s*=\s*[\"']?([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)", re.I
)
# Each kind with a word of it, by which a head without any is known at once.
_DATES = (
    ("datePublished", r'"datePublished"\s*:\s*"([^"]{8,40})"'),
    ("article:published_time", r"article:published_time[\"'][^>]{0,80}?content\s*=\s*[\"']([^\"']{8,40})"),
    ("article:published_time", r"content\s*=\s*[\"']([^\"']{8,40})[\"'][^>]{0,80}?article:published_time"),
    ("datePublished", r"itemprop\s*=\s*[\"']datePublished[\"'][^>]{0,80}?(?:content|datetime)\s*=\s*[\"']([^\"']{8,40})"),
    ("<time", r"<time\b[^>]{0,200}?\bdatetime\s*=\s*[\"']([^\"']{8,40})"),
)  # fmt: skip
_DATE_PATTERNS = tuple((word, re.compile(pattern)) for word, pattern in _DATES)
_ISO_DATE = re.compile(r"((?:19|20)\d\d)[-/.]?([01]\d)[-/.]?([0-3]\d)")
_LINKED_DATA = re.compile(
    r"<script\b[^>]{0,300}?application/ld\+json[^>]{0,300}?>(.*?)</script", re.DOTALL | re.I
)
_TEXT_FIELDS = ("articleBody", "reviewBody", "text", "recipeInstructions", "description")
_MARKUP = re.compile(r"<[^>]{1,500}>")
MOST_LINKED_OBJECTS = 200
_DECODER = json.JSONDecoder(strict=False)
MOST_COMMENTS = 1_000
# "<![CDATA[" holds two brackets that begin no list.
_VALUE = re.compile(r"(?<!CDATA)(?<!<!)[{\[]")
# Comments outside of strings, and a comma before a closing bracket; strings match first and stay.
_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|/\*.*?\*/|//[^\n]*', re.DOTALL)
_LAST_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)


@dataclass(frozen=True)
class PageFacts:
    """Language tag and day of publication as the page gives them."""

    language: str | None
    published: date | None


def read_facts(html: str) -> PageFacts:
    """Search the head of a page for its language and date."""
    head = html[:HEAD_CHARS]
    language = _LANGUAGE.search(head[:5_000])
    return PageFacts(language[1].lower() if language else None, _published(head))


def _published(head: str) -> date | None:
    """The first date of the kinds in `_DATES` that is a day of the calendar."""
    absent: set[str] = set()
    for word, pattern in _DATE_PATTERNS:
        if word in absent or word not in head:
            absent.add(word)
            continue
        value = pattern.search(head)
        day = _ISO_DATE.match(value[1].strip()) if value else None
        if day is not None:
            try:
                return date(int(day[1]), int(day[2]), int(day[3]))
            except ValueError:
                continue
    return None


def linked_text(html: str) -> str:
    """Longest body text among a page's JSON-LD objects; empty where there is none."""
    if "ld+json" not in html:
        return ""
    longest = ""
    for script in _LINKED_DATA.finditer(html[:MOST_DATA_CHARS]):
        for data in _read_objects(script[1]):
            for text in _bodies(data, 0):
                longest = max(longest, text, key=len)
    return _plain(longest)


def _read_objects(script: str) -> Iterator[Any]:
    """The JSON values of a script, whatever stands before, between and behind them.

    Publishers wrap them in CDATA or comment marks, end them with a semicolon or a comma, leave
    comments and commas in them, escape their quotes, or write several one after another.
    """
    if '"' not in script and "&quot;" in script:
        script = html_entities.unescape(script)
    offset, is_mended = _next_value(script, 0), script.count("/*") > MOST_COMMENTS
    for _ in range(MOST_LINKED_OBJECTS):
        if offset < 0:
            return
        try:
            data, end = _DECODER.raw_decode(script, offset)
        except (ValueError, RecursionError):
            if is_mended:
                # What looked like a value may stand in a remark.
                offset = _next_value(script, offset + 1)
            else:
                script = _LAST_COMMA.sub(r"\1", _COMMENT.sub(r"\1", script))
                offset, is_mended = _next_value(script, 0), True
            continue
        yield data
        offset = _next_value(script, end)


def _next_value(script: str, offset: int) -> int:
    """Offset of the next bracket that may begin an object or a list; -1 for none."""
    match = _VALUE.search(script, offset)
    return match.start() if match else -1


def _bodies(data: Any, depth: int) -> Iterator[str]:
    """The longest text of every object; seven levels of nesting are searched, 200 entries of a list."""
    if depth > 6:
        return
    if isinstance(data, list):
        for entry in data[:200]:
            yield from _bodies(entry, depth + 1)
    elif isinstance(data, dict):
        texts = [text for name in _TEXT_FIELDS if (text := _said(data.get(name)))]
        if texts:
            yield max(texts, key=len)
        for value in data.values():
            if isinstance(value, dict | list):
                yield from _bodies(value, depth + 1)


def _said(value: Any) -> str:
    """A field's text, which may be a list of paragraphs."""
    if isinstance(value, list):
        return "\n".join(part for part in value[:200] if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _plain(text: str) -> str:
    """Take out the markup and entities that some publishers leave in their data."""
    text = html_entities.unescape(text)
    text = _MARKUP.sub(" ", text) if "<" in text else text
    return "\n".join(" ".join(line.split()) for line in text.split("\n")).strip()
