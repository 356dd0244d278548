"""Bounds on bytes, checked before any parser: linear in the page, the same on every machine."""

from __future__ import annotations

import re

from refinery.extract.config import PageLimits

_QUOTED = re.compile(rb"=\s*(?:\"[^\"]*\"|'[^']*')")
_TAG = re.compile(rb"<(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*)>")
# Never closed in practice, or closed by the parser itself: they add no depth.
_NO_DEPTH = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li dt dd option "
    b"tr td th thead tbody tfoot colgroup rb rt rp".split()
)


class PageRejected(Exception):  # noqa: N818
    """A page beyond a bound; `reason` is short and stable, for counting."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def check_page(payload: bytes, limits: PageLimits) -> None:
    """Raise `PageRejected` where a page is beyond a bound."""
    _require("bytes", len(payload), limits.max_bytes)
    num_tags = payload.count(b"<")
    _require("tags", num_tags, limits.max_tags)
    if len(payload) > limits.max_tag_bytes:
        _require("tag_bytes", _longest_tag(payload), limits.max_tag_bytes)
    # Only pages that could break a bound are scanned tag by tag.
    if num_tags > limits.max_depth:
        _require("depth", _depth(payload, limits.max_depth), limits.max_depth)
    if payload.count(b"=") + payload.count(b" ") > limits.max_attributes:
        _require("attributes", _most_attributes(payload, limits), limits.max_attributes)


def _require(what: str, found: int, most: int) -> None:
    if found > most:
        raise PageRejected(f"page:{what}", f"{found} {what.replace('_', ' ')}, at most {most}")


def _longest_tag(payload: bytes) -> int:
    pieces = payload.split(b"<")[1:]
    return max((len(piece.split(b">", 1)[0]) for piece in pieces), default=0)


def _depth(payload: bytes, most: int) -> int:
    """Deepest nesting of containers, by counting; stops one past the bound."""
    depth = deepest = 0
    for found in _TAG.finditer(payload):
        if found[2].lower() in _NO_DEPTH or found[3].endswith(b"/"):
            continue
        depth = max(0, depth + (-1 if found[1] else 1))
        if depth > deepest:
            deepest = depth
            if deepest > most:
                break
    return deepest


def _most_attributes(payload: bytes, limits: PageLimits) -> int:
    """Most attributes of one tag, estimated by its separators; only long tags are looked at."""
    shortest = 2 * limits.max_attributes
    most = 0
    for piece in payload.split(b"<"):
        if len(piece) > shortest:
            # Words inside quoted values are none: pages hold whole texts in one data- attribute.
            tag = _QUOTED.sub(b"", piece).split(b">", 1)[0]
            most = max(most, len(tag.split()) - 1)
    return most
