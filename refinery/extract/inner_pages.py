"""Pages and trees that a page holds where a parser finds no markup; browsers draw them there.

A frame may carry its page in an attribute; a component may carry its shadow tree in a template.
"""

from __future__ import annotations

import html as html_entities
import re

from refinery.extract.scan.read import PageScan

MOST_INNER_PAGES = 1_000

_FRAME = re.compile(
    r"<iframe\b[^>]{0,2000}?\ssrcdoc\s*=\s*(?:\"([^\"]*)\"|'([^']*)')[^>]*>(?:\s*</iframe\s*>)?",
    re.I,
)
_SHADOW = re.compile(
    r"<template\b[^>]{0,500}?\sshadowroot(?:mode)?\s*=[^>]*>|</?template\b[^>]*>", re.I
)
_NOT_DRAWN = re.compile(
    r"<(script|style|template)\b.*?</\1\s*>|<!--.*?-->|</?(?:html|body|head)\b[^>]*>|<!doctype[^>]*>",
    re.I | re.DOTALL,
)


def holds_inner_pages(scan: PageScan) -> bool:
    """Whether a frame or a template of the page carries what is drawn."""
    tags = (scan.page[first:end].lower() for first, end in scan.inner_tags)
    return any(b"srcdoc" in tag or b"shadowroot" in tag for tag in tags)


def write_inner_pages(html: str) -> str:
    """Write the pages of frames and the trees of components as parts of the page."""
    if "srcdoc" in html:
        html = _FRAME.sub(_page_of_frame, html, count=MOST_INNER_PAGES)
    return _open_shadows(html) if "shadowroot" in html else html


def _page_of_frame(frame: re.Match[str]) -> str:
    page = html_entities.unescape(frame[1] or frame[2] or "")
    return f"<div>{_NOT_DRAWN.sub('', page)}</div>"


def _open_shadows(html: str) -> str:
    """Make <div> of the templates that are shadow trees, and of their closing tags."""
    is_shadow: list[bool] = []

    def write(tag: re.Match[str]) -> str:
        text = tag[0].lower()
        if text.startswith("</"):
            return "</div>" if is_shadow and is_shadow.pop() else tag[0]
        # A shadow tree inside a template that is not drawn is not drawn either.
        is_shadow.append(" shadowroot" in text.replace("\n", " ") and all(is_shadow))
        return "<div>" if is_shadow[-1] else tag[0]

    return _SHADOW.sub(write, html)
