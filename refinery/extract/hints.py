"""What a page says of itself that helps to judge its blocks: its description and kind.

Read from the markup by search. JSON-LD is searched, not parsed: broken objects tell as much.
"""

from __future__ import annotations

import html as html_entities
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from refinery.extract.trim import Trimmed

HEAD_BYTES = 200_000
MOST_SAID_CHARS = 100_000
MOST_DATA_BYTES = 500_000
_META = re.compile(r"<meta\s[^>]{10,3000}>", re.I)
_CONTENT = re.compile(r"\bcontent\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.I)
_TYPE = re.compile(r'"@type"\s*:\s*\[?\s*"([A-Za-z]{3,40})"')
_SAID = re.compile(
    r'"(?:articleBody|reviewBody|description|text)"\s*:\s*("(?:[^"\\]|\\.){20,50000}")'
)
_MARKUP = re.compile(r"<[^>]{1,500}>")
# Types of schema.org and og:type by what they say of a page.
_TYPES = {
    "article": 0, "NewsArticle": 0, "Article": 0, "BlogPosting": 0, "ReportageNewsArticle": 0,
    "product": 1, "Product": 1, "Offer": 1, "ProductGroup": 1, "og:product": 1,
    "DiscussionForumPosting": 2, "QAPage": 2, "Question": 2, "Comment": 2,
    "ItemList": 3, "CollectionPage": 3, "SearchResultsPage": 3, "OfferCatalog": 3,
    "LocalBusiness": 4, "Service": 4, "FAQPage": 4, "ProfessionalService": 4,
    "TechArticle": 5, "HowTo": 5, "Recipe": 6, "website": 7, "WebPage": 8,
}  # fmt: skip
NUM_TYPES = 9
NUM_HINTS = NUM_TYPES + 1


@dataclass(frozen=True)
class Hints:
    """`said` is what the page gives as its description or body, in plain words; flags [NUM_HINTS].

    The last flag tells whether anything was said.
    """

    said: str = ""
    flags: tuple[float, ...] = (0.0,) * NUM_HINTS


def read_hints(trimmed: Trimmed) -> Hints:
    """Search the head and the linked data of a page."""
    end = trimmed.markup.find(b"</head", 0, HEAD_BYTES)
    head = trimmed.markup[: end if end >= 0 else HEAD_BYTES].decode("utf-8", "ignore")
    said: list[str] = []
    types: list[str] = []
    for tag in _META.findall(head):
        name = tag.lower()
        if "description" in name or "og:type" in name:
            found = _CONTENT.search(tag)
            content = (found[1] or found[2] or "") if found else ""
            (types if "og:type" in name else said).append(content)
    for data in _linked_data(trimmed):
        types += _TYPE.findall(data)
        said += map(_unquoted, _SAID.findall(data))
    flags = [0.0] * NUM_HINTS
    for name in types:
        if name in _TYPES:
            flags[_TYPES[name]] = 1.0
    text = " ".join(_plain(part) for part in said)[:MOST_SAID_CHARS]
    flags[-1] = float(bool(text))
    return Hints(text, tuple(flags))


def _linked_data(trimmed: Trimmed) -> list[str]:
    """The inside of the scripts that hold JSON-LD."""
    page, found, total = trimmed.page, [], 0
    spans = [*trimmed.scripts]
    if trimmed.is_raw_left:
        spans += _scripts_behind(page, trimmed.end)
    for first, end in spans:
        start = page.find(b">", first)
        if page.find(b"ld+json", first, start) >= 0 and total < MOST_DATA_BYTES:
            found.append(page[start + 1 : min(end, start + MOST_DATA_BYTES)])
            total += end - start
    return [data.decode("utf-8", "ignore") for data in found]


def _scripts_behind(page: bytes, place: int) -> Iterator[tuple[int, int]]:
    """Where scripts that may hold JSON-LD begin and end, by search."""
    while (at := page.find(b"ld+json", place)) >= 0:
        place = page.find(b"</script", at)
        place = len(page) if place < 0 else place
        yield max(page.rfind(b"<", 0, at), 0), place


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return ""


def _plain(text: str) -> str:
    """As the text of a block would read."""
    if "&" in text:
        text = html_entities.unescape(text)
    if "<" in text:
        text = _MARKUP.sub(" ", text)
    return " ".join(text.split())
