"""One payload to text, by the engine that the recipe names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from refinery.extract.charset import decode
from refinery.extract.classifier import extract_main_text
from refinery.extract.config import ExtractConfig
from refinery.extract.limits import PageRejected, check_page

EXTRACT_VERSION = 2
TITLE_CHARS = 500
MARKUP_TYPES = ("text/html", "application/xhtml+xml")

_SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class Page:
    """Text of a payload, its title, and how its bytes were decoded."""

    text: str
    title: str | None
    encoding: str
    num_replaced: int


def extract_page(payload: bytes, *, mime: str, charset: str | None, config: ExtractConfig) -> Page:
    """Decode and extract; plain text is decoded only.

    Raises:
        PageRejected: The page is beyond a bound, is binary, or its bytes are not text.
    """
    is_html = mime in MARKUP_TYPES
    if b"\0" in payload[:1024] and not payload.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise PageRejected("page:binary", "NUL bytes near the start: not text")
    if is_html:
        check_page(payload, config.limits)
    elif len(payload) > config.limits.max_bytes:
        message = f"{len(payload)} bytes, at most {config.limits.max_bytes}"
        raise PageRejected("page:bytes", message)
    decoded = decode(payload, charset, is_html=is_html)
    if decoded.num_replaced * 10 > len(decoded.text):
        message = f"{decoded.num_replaced} places are not {decoded.encoding}"
        raise PageRejected("page:undecodable", message)
    if not is_html:
        return Page(decoded.text, None, decoded.encoding, decoded.num_replaced)
    text, title = _extract_html(decoded.text, config)
    return Page(text, title, decoded.encoding, decoded.num_replaced)


def _extract_html(html: str, config: ExtractConfig) -> tuple[str, str | None]:
    if config.engine == "blocks":
        return _with_short_title(*extract_main_text(html))
    tree = HTMLTree.parse(html)
    title = _SPACES.sub(" ", tree.title or "").strip()[:TITLE_CHARS] or None
    if config.engine == "trafilatura":
        return _trafilatura(html), title
    text = extract_plain_text(
        tree,
        preserve_formatting=True,
        main_content=config.engine == "resiliparse",
        list_bullets=True,
        alt_texts=False,
        links=False,
        form_fields=False,
        comments=False,
    )
    return str(text), title


def _with_short_title(text: str, title: str | None) -> tuple[str, str | None]:
    return text, (title[:TITLE_CHARS] if title else None)


def _trafilatura(html: str) -> str:
    """`deduplicate` stays off: its process-wide cache makes a page depend on earlier pages."""
    import trafilatura  # slow to import, and only for those who choose it

    text = trafilatura.extract(html, deduplicate=False, include_comments=False, fast=True)
    return text or ""
