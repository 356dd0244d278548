"""What a page says of itself that helps to judge its blocks: its description, kind and software.

Read from the markup by search. JSON-LD is searched, not parsed: broken objects tell as much.
"""

from __future__ import annotations

import html as html_entities
import json
import re
from dataclasses import dataclass

HEAD_CHARS = 200_000
MOST_SAID_CHARS = 100_000
MOST_DATA_CHARS = 500_000
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
_SOFTWARE = (
    ("discourse", "phpbb", "vbulletin", "xenforo", "flarum", "invision", "smf", "nodebb", "mybb"),
    ("woocommerce", "shopify", "magento", "prestashop", "bigcommerce"),
    ("docusaurus", "sphinx", "mkdocs", "gitbook", "readthedocs", "javadoc", "doxygen"),
)
NUM_HINTS = NUM_TYPES + len(_SOFTWARE) + 1


@dataclass(frozen=True)
class Hints:
    """`said` is what the page gives as its description or body, in plain words; flags [NUM_HINTS].

    The last flag tells whether anything was said.
    """

    said: str = ""
    flags: tuple[float, ...] = (0.0,) * NUM_HINTS


def read_hints(html: str) -> Hints:
    """Search the head and the linked data of a page."""
    end = html.find("</head", 0, HEAD_CHARS)
    head = html[: end if end >= 0 else HEAD_CHARS]
    said: list[str] = []
    types: list[str] = []
    for tag in _META.findall(head):
        name = tag.lower()
        if "description" in name or "og:type" in name:
            found = _CONTENT.search(tag)
            content = (found[1] or found[2] or "") if found else ""
            (types if "og:type" in name else said).append(content)
    for data in _linked_data(html):
        types += _TYPE.findall(data)
        said += map(_unquoted, _SAID.findall(data))
    flags = [0.0] * NUM_HINTS
    for name in types:
        if name in _TYPES:
            flags[_TYPES[name]] = 1.0
    lowered = head[:20_000].lower()
    for number, names in enumerate(_SOFTWARE, NUM_TYPES):
        flags[number] = float(any(name in lowered for name in names))
    text = " ".join(_plain(part) for part in said)[:MOST_SAID_CHARS]
    flags[-1] = float(bool(text))
    return Hints(text, tuple(flags))


def _linked_data(html: str) -> list[str]:
    """The inside of the scripts that hold JSON-LD."""
    found, place, total = [], html.find("ld+json"), 0
    while place >= 0 and total < MOST_DATA_CHARS:
        start = html.find(">", place, place + 1_000)
        if start >= 0:
            end = html.find("</script", start)
            end = len(html) if end < 0 else end
            found.append(html[start + 1 : min(end, start + MOST_DATA_CHARS)])
            total += end - start
            place = end
        place = html.find("ld+json", place + 7)
    return found


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
