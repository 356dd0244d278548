"""Text that a page holds only for its scripts: in their state, in templates, in text areas, in comments.

Scripts draw such a page once it is loaded; for us it is empty. What is taken is one text: the longest
that reads as prose.
"""

from __future__ import annotations

import html as html_entities
import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

MOST_PAGE_CHARS = 4_000_000
MOST_SCRIPTS, MOST_ASSIGNED, MOST_VALUES = 200, 30, 20_000
MOST_DEPTH = 30
# Shorter texts of a page's state are labels.
LEAST_CHARS = 200
# Prose has a sentence's end every few hundred characters, and blanks unless it is Chinese or Japanese.
_CHARS_PER_STOP, _LEAST_BLANKS = 400, 0.08

_SCRIPT, _SCRIPT_END = re.compile(r"<script\b([^>]{0,500})>", re.I), re.compile("</script", re.I)
_JSON = re.compile(r"type\s*=\s*[\"']?application/(?:json|vnd\.\w+\+json)", re.I)
_TEMPLATE = re.compile(r"type\s*=\s*[\"']?text/(?:html|template|x-template)", re.I)
_SOURCE = re.compile(r"\bsrc\s*=", re.I)
_ASSIGNED = re.compile(r"(?:^|[;\s(])(?:window|self|globalThis|var|let|const)\b[^={};]{1,80}=\s*")
_PARSED = re.compile(r"JSON\.parse\(\s*(\"(?:[^\"\\]|\\.)*\")", re.DOTALL)
_HOLDERS = (
    (re.compile(r"<template\b([^>]{0,500})>", re.I), re.compile("</template", re.I), False),
    (re.compile(r"<textarea\b([^>]{0,500})>", re.I), re.compile("</textarea", re.I), True),
    (re.compile(r"<code\b([^>]{0,300})>\s*<!--", re.I), re.compile("-->"), False),
)
_MARKUP = re.compile(r"</?[a-zA-Z][^>]{0,2000}>")
_BLOCK = re.compile(r"<(?:p|div|br|li|h[1-6])\b", re.I)
_STOP = re.compile(r"[.!?。！？…]")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_PARTS = ("text", "content", "html", "value", "body", "children", "paragraph")
_DECODER = json.JSONDecoder(strict=False)


def held_text(html: str, read: Callable[[str], str]) -> str:
    """The longest prose that scripts would draw; empty for none. `read` gives the text of markup."""
    page = html[:MOST_PAGE_CHARS]
    best = ""
    for found in _candidates(page):
        if len(found) <= len(best):
            continue
        text = read(found) if _BLOCK.search(found) else _MARKUP.sub("", found)
        text = html_entities.unescape(text).strip()
        if len(text) > len(best) and _is_prose(text):
            best = text
    return best


def _candidates(page: str) -> Iterator[str]:
    for kind, inside in _insides(page, _SCRIPT, _SCRIPT_END):
        if len(inside) < LEAST_CHARS or "ld+json" in kind or _SOURCE.search(kind):
            continue
        if _TEMPLATE.search(kind):
            yield from _written(inside)
        else:
            for value in _values(inside, is_json=bool(_JSON.search(kind))):
                yield from _texts(value)
    for opening, closing, is_escaped in _HOLDERS:
        for _, inside in _insides(page, opening, closing):
            yield from _written(html_entities.unescape(inside) if is_escaped else inside)


def _insides(
    page: str, opening: re.Pattern[str], closing: re.Pattern[str]
) -> Iterator[tuple[str, str]]:
    """Attributes and inside of elements that end; where one does not, none behind it does."""
    offset = 0
    for _ in range(MOST_SCRIPTS):
        found = opening.search(page, offset)
        end = closing.search(page, found.end()) if found else None
        if found is None or end is None:
            return
        yield found[1], page[found.end() : end.start()]
        offset = end.end()


def _written(markup: str) -> Iterator[str]:
    """Markup with blocks, and without the fields that a template leaves open."""
    if (
        len(markup) >= LEAST_CHARS
        and _BLOCK.search(markup)
        and not ("{{" in markup or "<%" in markup)
    ):
        yield markup


def _values(script: str, *, is_json: bool) -> Iterator[Any]:
    """The JSON values that a script is, or that it gives to a name."""
    if is_json:
        yield from _decoded(script, len(script) - len(script.lstrip()))
        return
    for assigned in islice(_ASSIGNED.finditer(script), MOST_ASSIGNED):
        if script[assigned.end() : assigned.end() + 1] in ("{", "["):
            yield from _decoded(script, assigned.end())
    for parsed in islice(_PARSED.finditer(script), MOST_ASSIGNED):
        try:
            inner = json.loads(parsed[1], strict=False)
        except (ValueError, RecursionError):
            continue
        yield from _decoded(str(inner), 0)


def _decoded(text: str, offset: int) -> Iterator[Any]:
    try:
        value, _ = _DECODER.raw_decode(text, offset)
    except (ValueError, RecursionError):
        return
    yield value


def _texts(value: Any) -> Iterator[str]:
    """Long texts of a value, and the texts of the parts of a list, one paragraph each."""
    stack: list[tuple[Any, int]] = [(value, 0)]
    num = 0
    while stack and num < MOST_VALUES:
        entry, depth = stack.pop()
        num += 1
        if isinstance(entry, str):
            if len(entry) >= LEAST_CHARS:
                yield entry
        elif depth < MOST_DEPTH and isinstance(entry, dict):
            stack += [(inner, depth + 1) for inner in entry.values()]
        elif depth < MOST_DEPTH and isinstance(entry, list):
            stack += [(inner, depth + 1) for inner in entry]
            parts = [part for part in map(_text_of_part, entry) if part]
            if len(parts) > 1:
                yield "\n\n".join(parts)


def _text_of_part(part: Any) -> str:
    if isinstance(part, str):
        return part.strip()
    if not isinstance(part, dict):
        return ""
    texts = [part[name] for name in _PARTS if isinstance(part.get(name), str)]
    return max(texts, key=len).strip() if texts else ""


def _is_prose(text: str) -> bool:
    """Whether a text has sentences; code, addresses, keys and lists of labels have none."""
    if len(text) < LEAST_CHARS or len(_STOP.findall(text)) * _CHARS_PER_STOP < len(text):
        return False
    if len(_WIDE.findall(text)) * 4 > len(text):
        return True
    marks = sum(text.count(mark) for mark in "{}[]=;<>")
    return text.count(" ") >= _LEAST_BLANKS * len(text) and marks * 50 < len(text)
