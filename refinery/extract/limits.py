"""Bounds on bytes, checked before any parser: linear in the page, the same on every machine."""

from __future__ import annotations

import functools
import re

import numpy as np
from numpy.typing import NDArray

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
    data = np.frombuffer(payload, np.uint8)
    opens = np.flatnonzero(data == ord("<"))
    _require("tags", len(opens), limits.max_tags)
    if len(payload) > limits.max_tag_bytes:
        _require("tag_bytes", _longest_tag(payload), limits.max_tag_bytes)
    # Only pages that could break a bound are scanned tag by tag.
    if len(opens) > limits.max_depth and _depth_at_most(data, opens) > limits.max_depth:
        _require("depth", _depth(payload, limits.max_depth), limits.max_depth)
    # An attribute takes two bytes at least.
    long = np.flatnonzero(np.diff(opens, append=len(data)) > 2 * limits.max_attributes)
    if len(long):
        ends = np.append(opens, len(data))
        pieces = [payload[opens[i] + 1 : ends[i + 1]] for i in long.tolist()]
        _require("attributes", max(map(_num_attributes, pieces)), limits.max_attributes)


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


def _depth_at_most(data: NDArray[np.uint8], opens: NDArray[np.int64]) -> int:
    """A bound on `_depth` from the first two letters of each tag's name.

    Names that share them with one that adds no depth open without ever closing.
    """
    padded = np.concatenate([data, np.zeros(4, np.uint8)])
    closing = padded[opens + 1] == ord("/")
    name = opens + 1 + closing
    # Lower case, by the bit that tells ASCII letters apart.
    code = ((padded[name] | 32).astype(np.int64) << 8) | (padded[name + 1] | 32)
    steps = np.where(closing, -_closes()[code], _adds()[code])
    # A closing tag that meets "<" before ">" is none.
    ends = np.flatnonzero(data == ord(">"))
    nearest = np.append(ends, len(data))[np.searchsorted(ends, opens)]
    steps[closing & (nearest >= np.append(opens[1:], len(data)))] = 0
    sums = np.cumsum(steps)
    return int((sums - np.minimum(np.minimum.accumulate(sums), 0)).max())


@functools.cache
def _adds() -> NDArray[np.int64]:
    """1 by the first two bytes of a name, but 0 where all such names add no depth."""
    letters = np.zeros(1 << 16, np.int64)
    for first in range(ord("a"), ord("z") + 1):
        letters[first << 8 : (first + 1) << 8] = 1
    for name in (b"br", b"hr", b"li", b"td", b"dt", b"dd", b"tr"):
        letters[name[0] << 8 | name[1]] = 0
    for end in b"> \n\t\r\f":
        letters[ord("p") << 8 | end | 32] = 0
    return letters


@functools.cache
def _closes() -> NDArray[np.int64]:
    """1 by the first two bytes of a name, but 0 where any such name adds no depth."""
    letters = _adds().copy()
    for name in _NO_DEPTH:
        letters[name[0] << 8 | (name[1] if len(name) > 1 else ord(" "))] = 0
    return letters


def _num_attributes(piece: bytes) -> int:
    """Attributes of one tag, estimated by its separators."""
    # Words inside quoted values are none: pages hold whole texts in one data- attribute.
    return len(_QUOTED.sub(b"", piece).split(b">", 1)[0].split()) - 1
