"""What a page says about itself that helps to judge its blocks: its description and its kind.

Both are searched for in the markup. JSON-LD is not parsed: broken objects tell as much.
"""

from __future__ import annotations

import html as html_entities
import json
import re
from dataclasses import dataclass

from refinery.extract.scan.read import PageScan

MOST_SAID_CHARS = 100_000
MOST_DATA_BYTES = 500_000
_CONTENT = re.compile(r"\bcontent\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.I)
_TYPE = re.compile(r'"@type"\s*:\s*\[?\s*"([A-Za-z]{3,40})"')
_SAID = re.compile(
    r'"(?:articleBody|reviewBody|description|text)"\s*:\s*("(?:[^"\\]|\\.){20,50000}")'
)
_MARKUP = re.compile(r"<[^>]{1,500}>")
# Types of schema.org and of og:type, numbered by the kind of page that they tell.
_TYPES = {
    "article": 0, "NewsArticle": 0, "Article": 0, "BlogPosting": 0, "ReportageNewsArticle": 0,
    "product": 1, "Product": 1, "Offer": 1, "ProductGroup": 1, "og:product": 1,
    "DiscussionForumPosting": 2, "QAPage": 2, "Question": 2, "Comment": 2,
    "ItemList": 3, "CollectionPage": 3, "SearchResultsPage": 3, "OfferCatalog": 3,
    "LocalBusiness": 4, "Service": 4, "FAQPage": 4, "ProfessionalService": 4,
    "TechArticle": 5, "HowTo": 5, "Recipe": 6, "website": 7, "WebPage": 8,
}  # fmt: skip
NUM_TYPES = 9
_ARTICLE, _OTHERS = 0, (1, 2, 6)  # products, forums and recipes have their text in several parts
NUM_HINTS = NUM_TYPES + 1


@dataclass(frozen=True)
class Hints:
    """What a page says about itself.

    Attributes:
        said: Its descriptions and the bodies of its JSON-LD, as plain text.
        flags: [NUM_HINTS] 1 for each kind of page that it declares; the last one tells whether
            `said` holds anything.
    """

    said: str = ""
    flags: tuple[float, ...] = (0.0,) * NUM_HINTS

    @property
    def declares_article(self) -> bool:
        """Whether the page says that it is an article, and not also a product, a thread or a recipe."""
        return self.flags[_ARTICLE] > 0 and not any(self.flags[kind] for kind in _OTHERS)


def read_hints(scan: PageScan) -> Hints:
    """Search the meta tags of a page's head and its linked data."""
    said: list[str] = []
    types: list[str] = []
    for tag in scan.metas:
        name = tag.lower()
        if "description" in name or "og:type" in name:
            value = _CONTENT.search(tag)
            content = (value[1] or value[2] or "") if value else ""
            (types if "og:type" in name else said).append(content)
    for data in _linked_data(scan):
        types += _TYPE.findall(data)
        said += map(_unquoted, _SAID.findall(data))
    flags = [0.0] * NUM_HINTS
    for name in types:
        if name in _TYPES:
            flags[_TYPES[name]] = 1.0
    text = " ".join(_plain(part) for part in said)[:MOST_SAID_CHARS]
    flags[-1] = float(bool(text))
    return Hints(text, tuple(flags))


def _linked_data(scan: PageScan) -> list[str]:
    """The inside of the scripts that hold JSON-LD, up to MOST_DATA_BYTES in all."""
    page, objects, total = scan.page, [], 0
    for first, end in scan.scripts:
        start = page.find(b">", first)
        if page.find(b"ld+json", first, start) >= 0 and total < MOST_DATA_BYTES:
            objects.append(page[start + 1 : min(end, start + MOST_DATA_BYTES)])
            total += end - start
    return [data.decode("utf-8", "ignore") for data in objects]


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text, strict=False))
    except ValueError:
        return ""


def _plain(text: str) -> str:
    """Turn a value into text as a block has it: no entities, no markup, single blanks."""
    if "&" in text:
        text = html_entities.unescape(text)
    if "<" in text:
        text = _MARKUP.sub(" ", text)
    return " ".join(text.split())
