"""Bounds on bytes, checked before any parser: linear in the page, the same on every machine."""

from __future__ import annotations

import functools
import re

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import bare_kernel
from refinery.extract.config import PageLimits

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

_QUOTED = re.compile(rb"=\s*(?:\"[^\"]*\"|'[^']*')")
_TAG = re.compile(rb"<(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*)>")
# Elements that nobody closes, or that the parser closes by itself: they add no depth.
_NO_DEPTH = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li dt dd option "
    b"tr td th thead tbody tfoot colgroup rb rt rp".split()
)


# First bytes of files that are no pages and have no NUL byte near their start (MIME Sniffing
# Standard, sections 6 and 7; RTF and CFB by their own definitions).
_SIGNATURES = {
    b"%PDF-": "PDF", b"%!PS": "PostScript", b"{\\rtf": "RTF", b"\x1f\x8b": "gzip",
    b"PK\3\4": "zip", b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"OggS": "Ogg",
    b"ID3": "MP3", b"wOF": "a web font", b"Rar!": "RAR", b"7z\xbc\xaf": "7z",
    b"\xd0\xcf\x11\xe0": "an old Office file",
}  # fmt: skip
_ANY_TAG = re.compile(rb"<[a-zA-Z/!?]")
_HEAD_BYTES = 1024
_SLASH, _MORE = ord("/"), ord(">")
# Style sheets and scripts have a brace or a semicolon every few dozen bytes; prose has none.
_CODE_BYTES_PER_MARK = 30
# The commonest first.
_BREAK_MARKS = (b" ", b">", b"<", b"\n", b"\t", b"\r", b"\f", b"\v", b"\0")
_BREAKS = np.isin(np.arange(256), np.frombuffer(b"".join(_BREAK_MARKS), np.uint8))


class PageRejected(Exception):  # noqa: N818
    """A page beyond a bound. `reason` is one of a few stable names, for counting."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def check_text(payload: bytes, limits: PageLimits) -> None:
    """Raise `PageRejected` where plain text is beyond a bound."""
    _require("bytes", len(payload), limits.max_bytes)
    _check_runs(payload, limits)


def _check_runs(payload: bytes, limits: PageLimits) -> None:
    if has_longer_run(payload, limits.max_run_bytes):
        _require("run_bytes", _longest_run(payload), limits.max_run_bytes)


def check_is_html(payload: bytes) -> None:
    """Raise `PageRejected` where a payload declared as HTML begins as another format or is only code."""
    head = payload[:_HEAD_BYTES].lstrip()
    for signature, name in _SIGNATURES.items():
        if head.startswith(signature):
            raise PageRejected("page:not_html", f"begins as {name}")
    if _ANY_TAG.search(payload) or not head:
        return
    if head[:1] in b"{[" and payload.rstrip()[-1:] in b"}]":
        raise PageRejected("page:not_html", "no tag, and the brackets of JSON around it")
    marks = sum(payload.count(mark) for mark in (b"{", b"}", b";"))
    if marks * _CODE_BYTES_PER_MARK > len(payload):
        raise PageRejected("page:not_html", f"no tag, and {marks} braces and semicolons")


def check_page(payload: bytes, limits: PageLimits) -> None:
    """Raise `PageRejected` where a page is beyond a bound."""
    _require("bytes", len(payload), limits.max_bytes)
    data = np.frombuffer(payload, np.uint8)
    opens = np.flatnonzero(data == ord("<"))
    _require("tags", len(opens), limits.max_tags)
    ends = np.append(opens[1:], len(data))
    long = np.flatnonzero(ends - opens > limits.max_tag_bytes)
    if len(long):
        _require("tag_bytes", _longest_tag(payload, opens[long], ends[long]), limits.max_tag_bytes)
    _check_runs(payload, limits)
    # Only pages that could break a bound are scanned tag by tag.
    if len(opens) > limits.max_depth and _may_be_deeper(data, opens, limits.max_depth):
        _require("depth", _depth(payload, limits.max_depth), limits.max_depth)
    # An attribute takes two bytes at least.
    long = np.flatnonzero(ends - opens > 2 * limits.max_attributes)
    if len(long):
        pieces = [payload[opens[i] + 1 : ends[i]] for i in long.tolist()]
        _require("attributes", max(map(_num_attributes, pieces)), limits.max_attributes)


def _require(what: str, count: int, most: int) -> None:
    if count > most:
        raise PageRejected(f"page:{what}", f"{count} {what.replace('_', ' ')}, at most {most}")


def has_longer_run(payload: bytes, most: int) -> bool:
    """Whether more bytes stand in a row without a break; nearly all of a usual page is not looked at.

    Of any `most` + 1 bytes one must be a break: the last of them will do, and the search goes on behind it.
    """
    first = 0
    while len(payload) - first > most:
        found = (payload.rfind(mark, first, first + most + 1) for mark in _BREAK_MARKS)
        last = next((at for at in found if at >= 0), -1)
        if last < 0:
            return True
        first = last + 1
    return False


def _longest_run(payload: bytes) -> int:
    """The most bytes in a row without a blank or a bracket of a tag."""
    breaks = np.flatnonzero(_BREAKS[np.frombuffer(payload, np.uint8)])
    return int(np.diff(breaks, prepend=-1, append=len(payload)).max()) - 1


def _longest_tag(payload: bytes, opens: Ints, ends: Ints) -> int:
    """The most bytes between a "<" and the next ">", or what ends the piece; of the pieces that are given."""
    spans = zip((opens + 1).tolist(), ends.tolist(), strict=True)
    return max(len(payload[first:end].split(b">", 1)[0]) for first, end in spans)


def _depth(payload: bytes, most: int) -> int:
    """Deepest nesting of containers, by counting tags one by one; stops one past the bound."""
    depth = deepest = 0
    for tag in _TAG.finditer(payload):
        if tag[2].lower() in _NO_DEPTH or tag[3].endswith(b"/"):
            continue
        depth = max(0, depth + (-1 if tag[1] else 1))
        if depth > deepest:
            deepest = depth
            if deepest > most:
                break
    return deepest


@bare_kernel
def depth_at_most(data: Bytes, opens: Ints, adds: Ints, closes: Ints) -> int:
    """An upper bound on `_depth`, from the first two bytes of the name behind each "<".

    Two bytes do not tell all names apart. Every doubt is counted as depth: a name opens if any name
    with these bytes does, and closes only if all of them do.
    """
    num, depth, deepest = len(data), 0, 0
    for k in range(len(opens)):
        at = int(opens[k]) + 1
        end = int(opens[k + 1]) if k + 1 < len(opens) else num
        is_closing = at < num and data[at] == _SLASH
        at += is_closing
        # Setting bit 5 makes ASCII letters small.
        first = int(data[at]) | 32 if at < num else 32
        second = int(data[at + 1]) | 32 if at + 1 < num else 32
        code = first << 8 | second
        if not is_closing:
            depth += adds[code]
            deepest = max(deepest, depth)
            continue
        # A closing tag with another "<" before its ">" is none.
        while at < end and data[at] != _MORE:
            at += 1
        if at < end:
            depth = max(0, depth - closes[code])
    return deepest


def _may_be_deeper(data: Bytes, opens: Ints, most: int) -> bool:
    return depth_at_most(data, opens, _adds(), _closes()) > most


@functools.cache
def _adds() -> NDArray[np.int64]:
    """By the first two bytes of a name: 0 where no such name adds depth, 1 otherwise."""
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
    """By the first two bytes of a name: 0 where any such name adds no depth, 1 otherwise."""
    letters = _adds().copy()
    for name in _NO_DEPTH:
        letters[name[0] << 8 | (name[1] if len(name) > 1 else ord(" "))] = 0
    return letters


def _num_attributes(piece: bytes) -> int:
    """Attributes of one tag, estimated by its blanks; blanks in quoted values do not count."""
    # Pages hold whole texts in one data- attribute.
    return len(_QUOTED.sub(b"", piece).split(b">", 1)[0].split()) - 1
