"""From a payload to the text of a page, by the engine that the recipe names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from refinery.extract.classifier import MainText, extract_main_text
from refinery.extract.config import ExtractConfig
from refinery.extract.limits import PageRejected, check_is_html, check_page, check_text
from refinery.extract.metadata import read_facts
from refinery.text.charset import decode, is_wide

EXTRACT_VERSION = 16
TITLE_CHARS = 500
MARKUP_TYPES = ("text/html", "application/xhtml+xml")

_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, kw_only=True)
class Page:
    """Text of a payload, what the page says about itself, and how its bytes were decoded.

    Attributes:
        text: The main text of a page, or all of a plain-text payload.
        title: Text of the page's <title>; None for plain text, or where it is empty.
        encoding: Python's name of the encoding that the payload was decoded by.
        num_replaced: Characters that could not be decoded.
        language, published: As the page declares them.
        is_linked: Whether the page holds the text only as JSON-LD (linked data).
        is_held: Whether it holds the text only for its scripts.
        is_misdeclared: Whether the declared charset did not fit the bytes.
    """

    text: str
    title: str | None
    encoding: str
    num_replaced: int
    language: str | None = None
    published: date | None = None
    is_linked: bool = False
    is_held: bool = False
    is_misdeclared: bool = False


def extract_page(payload: bytes, *, mime: str, charset: str | None, config: ExtractConfig) -> Page:
    """Decode a payload, and extract the main text of HTML; plain text stays as it is.

    Raises:
        PageRejected: The page is beyond a bound, is binary, its bytes are not text, or it shows no text
            of its own: `page:needs_scripts`, `page:consent`, `page:login` and so on (walls.py).
    """
    is_html = mime in MARKUP_TYPES
    if b"\0" in payload[:1024] and not is_wide(payload):
        raise PageRejected("page:binary", "NUL bytes near the start: not text")
    if is_html:
        check_is_html(payload)
        check_page(payload, config.limits)
    else:
        check_text(payload, config.limits)
    decoded = decode(payload, charset, is_html=is_html)
    if decoded.num_replaced * 10 > len(decoded.text):
        message = f"{decoded.num_replaced} characters are not {decoded.encoding}"
        raise PageRejected("page:undecodable", message)
    if not is_html:
        return Page(
            text=decoded.text,
            title=None,
            encoding=decoded.encoding,
            num_replaced=decoded.num_replaced,
            is_misdeclared=decoded.is_misdeclared,
        )
    main = _extract_html(decoded.text, config)
    if main.wall is not None:
        raise PageRejected(f"page:{main.wall.name}", main.wall.evidence)
    facts = read_facts(decoded.text)
    return Page(
        text=main.text,
        title=main.title[:TITLE_CHARS] if main.title else None,
        encoding=decoded.encoding,
        num_replaced=decoded.num_replaced,
        language=facts.language,
        published=facts.published,
        is_linked=main.is_linked,
        is_held=main.is_held,
        is_misdeclared=decoded.is_misdeclared,
    )


def _extract_html(html: str, config: ExtractConfig) -> MainText:
    if config.engine == "blocks":
        return extract_main_text(
            html,
            config.structure,
            image_text=config.image_text,
            formulas=config.formulas,
            tables=config.tables,
        )
    tree = HTMLTree.parse(html)
    title = _SPACES.sub(" ", tree.title or "").strip() or None
    if config.engine == "trafilatura":
        return MainText(_trafilatura(html), title)
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
    return MainText(str(text), title)


def _trafilatura(html: str) -> str:
    # `deduplicate` stays off: its process-wide cache would make a page depend on earlier pages.
    import trafilatura  # slow to import, and only for those who choose it

    text = trafilatura.extract(html, deduplicate=False, include_comments=False, fast=True)
    return text or ""
