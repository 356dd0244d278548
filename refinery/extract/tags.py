"""The tags of a parsed page as arrays, scanned from its markup as the parser writes it.

A parser that writes what it parsed escapes "<" and ">" in text and in values, and closes what it
opened: so the tags are found by comparing bytes, many times faster than by asking nodes one by one.
Shapes: T tags, opening and closing ones, in order; L bytes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from selectolax.lexbor import LexborHTMLParser

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Words = NDArray[np.uint64]

# What the parser writes as it stood, without escapes; none of it is text of a page.
_RAW = ["script, style, template, iframe, noembed, noframes"]
# Raw, too, but text: all but forgotten elements.
_RAW_TEXT = re.compile(r"(<(xmp|plaintext)\b[^>]*>)(.*?)(</\2>)", re.DOTALL)
RAW_TEXT_NAMES = ("xmp", "plaintext")
VOID_NAMES = frozenset(
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source "  # noqa: SIM905
    "track wbr".split()
)
_LESS, _MORE, _QUOTE, _SLASH, _QUESTION = b'<>"/?'
_PADDING = b"\0" * 24
_CLASS = np.frombuffer(b' class="', "<u8")[0]
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
# More code points than this are no whole names, and differ all the same.
_WORD_BYTES = 8


def write_body(tree: LexborHTMLParser) -> str | None:
    """Markup of a page's body without scripts, styles and comments; None where it has no body."""
    body = tree.body
    if body is None:
        return None
    body.strip_tags(_RAW)
    return _without_comments(body.html or "")


def _without_comments(text: str) -> str:
    """By search, not by a pattern, which goes through each comment character by character."""
    parts, end = [], 0
    start = text.find("<!--")
    while start >= 0:
        parts.append(text[end:start])
        end = text.find("-->", start + 4) + 3
        start = text.find("<!--", end) if end >= 3 else -1
    if not parts:
        return text
    return "".join([*parts, text[end:] if end >= 3 else ""])


def read_tags(text: str, names: TagNames, is_void: Bools, is_raw: Bools) -> Tags:
    """Scan the markup of a body; text of raw elements, by number of their names, is escaped first."""
    tags = Tags(text, names, is_void)
    if is_raw[tags.names].any():
        return Tags(_RAW_TEXT.sub(_escaped, text), names, is_void)
    return tags


def _escaped(found: re.Match[str]) -> str:
    text = found[3].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return found[1] + text + found[4]


class TagNames:
    """Numbers of names, from 1; 0 is any other name. Names are told apart by 16 bytes."""

    def __init__(self, names: Sequence[str]) -> None:
        padded = b"".join(name.encode().ljust(2 * _WORD_BYTES, b"\0") for name in names)
        words = np.frombuffer(padded, "<u8").reshape(-1, 2)
        hashes = words[:, 0] * _FACTORS[0] + words[:, 1] * _FACTORS[1]
        self._order = np.argsort(hashes)
        self._hashes = hashes[self._order]

    def number(self, words: Words, places: Ints) -> Ints:
        """Numbers of the names that begin at these places; `words[i]` holds the bytes from i on."""
        first, is_long = _cut_name(words[places])
        hashes = first * _FACTORS[0]
        more = np.flatnonzero(is_long)
        hashes[more] += _cut_name(words[places[more] + _WORD_BYTES])[0] * _FACTORS[1]
        at = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        return np.where(self._hashes[at] == hashes, self._order[at] + 1, 0)


def _cut_name(words: Words) -> tuple[Words, Bools]:
    """Bytes before the first space or ">", the others 0; and whether there is none."""
    marks = np.zeros(len(words), np.uint64)
    for end in (0x20, 0x3E):
        other = words ^ (_ONES * np.uint64(end))
        marks |= (other - _ONES) & ~other & _HIGHS
    lowest = marks & (~marks + np.uint64(1))
    return words & ((lowest >> np.uint64(7)) - np.uint64(1)), marks == 0


class Tags:
    """The tags of a body: where they stand, their names, and where each element ends.

    `starts` and `ends` [T] are the places of "<" and ">"; `names` [T] are numbers of `TagNames`;
    `closings` [T] is for an opening tag the number of its closing one, for any other its own, as for
    those that hold nothing, `is_single` [T].
    `text` is the markup.
    """

    def __init__(self, text: str, names: TagNames, is_void: Bools) -> None:
        self.text = text
        # A byte per character: what this cannot say is no part of a mark.
        data = text.encode("latin-1", "replace")
        padded = data + _PADDING
        bytes_L = np.frombuffer(data, np.uint8)
        self._words: Words = np.ndarray(len(data) + 16, "<u8", padded, strides=(1,))
        self._quotes = np.flatnonzero(bytes_L == _QUOTE)
        starts, self.ends = np.flatnonzero(bytes_L == _LESS), np.flatnonzero(bytes_L == _MORE)
        if len(starts) != len(self.ends):
            # The name of an attribute may hold "<", where a page forgot a quote or a bracket.
            starts = starts[np.searchsorted(starts, np.append(-1, self.ends[:-1]))]
        self.starts: Ints = starts
        self.is_opening: Bools = bytes_L[starts + 1] != _SLASH
        self.names = names.number(self._words, starts + 2 - self.is_opening)
        # Instructions ("<?php ...>") hold nothing, either.
        self.is_single: Bools = is_void[self.names] | (bytes_L[starts + 1] == _QUESTION)
        self.closings = _match(np.where(self.is_single, 0, np.where(self.is_opening, 1, -1)))

    def covered(self, chosen: Ints) -> Bools:
        """Behind which tags [T] one of these elements is open."""
        size = len(self.starts)
        change = np.bincount(chosen, minlength=size)
        change -= np.bincount(self.closings[chosen], minlength=size)
        return np.cumsum(change) > 0

    def number_classes(self, chosen: Ints) -> Ints:
        """Numbers of the `class` values of these tags; equal ones have one number."""
        quotes = self._quotes[self._quotes >= _WORD_BYTES]
        at = np.flatnonzero(self._words[quotes - (_WORD_BYTES - 1)] == _CLASS)
        # A quote that is the last opens nothing.
        at = at[at + 1 < len(quotes)]
        first, last = quotes[at] + 1, quotes[at + 1]
        tag = np.searchsorted(self.starts, first) - 1
        # Text may hold the same characters.
        is_inside = last < self.ends[tag]
        spans = np.zeros((2, len(self.starts)), np.int64)
        spans[:, tag[is_inside]] = first[is_inside], last[is_inside]
        text, numbers = self.text, {"": 0}
        found = [
            numbers.setdefault(text[start:end], len(numbers))
            for start, end in zip(*spans[:, chosen].tolist(), strict=True)
        ]
        return np.array(found, np.int64)

    def spans(self, chosen: Ints) -> tuple[list[int], list[int]]:
        """Where these tags begin and end in the markup."""
        return self.starts[chosen].tolist(), self.ends[chosen].tolist()


def _match(steps: Ints) -> Ints:
    """Closing tags by opening ones, from what each tag adds to the depth: 1, 0 or -1.

    Of one depth only one element is open at a time: in order of depths, then places, each opening
    tag is followed by its closing one.
    """
    closings = np.arange(len(steps))
    turns = np.flatnonzero(steps)
    step = steps[turns]
    depths = np.cumsum(step) - (step > 0)
    # Of small integers the stable sort is a radix sort.
    small = np.int16 if int(depths.max(initial=0)) < 32_000 else np.int64
    order = turns[np.argsort(depths.astype(small), kind="stable")]
    closings[order[:-1:2]] = order[1::2]
    return closings
