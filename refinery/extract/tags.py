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
_LESS, _MORE, _QUOTE, _SLASH, _QUESTION, _BANG = b'<>"/?!'
_PADDING = b"\0" * 24
_ONES, _HIGHS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
# What lifts bytes above a space, and those only, beyond the bit that marks them.
_TO_HIGH = np.uint64(127 - ord(" "))
_LOW_BYTES = np.array([(1 << 8 * num) - 1 for num in range(9)], np.uint64)
_SLOT_BITS = 14
# More code points than this are no whole names, and differ all the same.
_WORD_BYTES = 8


def write_body(tree: LexborHTMLParser, *, is_raw_left: bool = True) -> str | None:
    """Markup of a page's body, None where it has no body; it holds no scripts and no styles.

    Without raw elements nothing is looked for.
    """
    body = tree.body
    if body is None:
        return None
    if is_raw_left:
        body.strip_tags(_RAW)
    return body.html or ""


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
    """Scan the markup of a body without its comments.

    Text of raw elements, by number of their names, is escaped first.
    """
    tags = Tags(text, names, is_void)
    if is_raw[tags.names].any():
        return Tags(_RAW_TEXT.sub(_escaped, tags.text), names, is_void)
    return tags


def _escaped(found: re.Match[str]) -> str:
    text = found[3].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return found[1] + text + found[4]


class TagNames:
    """Numbers of names, from 1; 0 is any other name. Names are told apart by 16 bytes."""

    def __init__(self, names: Sequence[str]) -> None:
        padded = b"".join(name.encode().ljust(2 * _WORD_BYTES, b"\0") for name in names)
        words: Words = np.frombuffer(padded, "<u8").reshape(-1, 2)
        hashes: Words = words[:, 0] * _FACTORS[0] + words[:, 1] * _FACTORS[1]
        # Two names in one slot would hide each other: another factor parts them.
        factor = np.uint64(1)
        while len(set(_slots(hashes, factor).tolist())) < len(names):
            factor += np.uint64(2)
        self._factor = factor
        self._numbers = np.zeros(1 << _SLOT_BITS, np.int64)
        self._numbers[_slots(hashes, factor)] = np.arange(1, len(names) + 1)
        self._hashes = np.append(np.uint64(0), hashes)

    def number(self, words: Words, places: Ints) -> Ints:
        """Numbers of the names that begin at these places; `words[i]` holds the bytes from i on."""
        first, is_long = _cut_name(words[places])
        hashes = first * _FACTORS[0]
        more = np.flatnonzero(is_long)
        hashes[more] += _cut_name(words[places[more] + _WORD_BYTES])[0] * _FACTORS[1]
        numbers = self._numbers.take(_slots(hashes, self._factor))
        numbers[self._hashes.take(numbers) != hashes] = 0
        return numbers


def _slots(hashes: Words, factor: np.uint64) -> Ints:
    """Where a table of names holds each of these."""
    return ((hashes * factor) >> np.uint64(64 - _SLOT_BITS)).astype(np.int64)


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
        bytes_L, starts = _find_starts(text)
        if (bytes_L[starts + 1] == _BANG).any():
            text = _without_comments(text)
            bytes_L, starts = _find_starts(text)
        self.text = text
        self._words: Words = np.ndarray(len(bytes_L) - 7, "<u8", bytes_L, strides=(1,))
        quotes = np.flatnonzero(bytes_L == _QUOTE)
        self._quotes = quotes[np.searchsorted(quotes, _WORD_BYTES) :]
        # A quote that is the last opens nothing.
        self._before_quotes: Words = self._words[self._quotes[:-1] - (_WORD_BYTES - 1)]
        self.ends = np.flatnonzero(bytes_L == _MORE)
        if len(starts) != len(self.ends):
            # The name of an attribute may hold "<", where a page forgot a quote or a bracket.
            starts = starts[np.searchsorted(starts, np.append(-1, self.ends[:-1]))]
        self.starts: Ints = starts
        after = bytes_L[starts + 1]
        self.is_opening: Bools = after != _SLASH
        self.names = names.number(self._words, starts + 2 - self.is_opening)
        # Instructions ("<?php ...>") hold nothing, either.
        self.is_single: Bools = is_void[self.names] | (after == _QUESTION)
        self.closings = _match(np.where(self.is_single, 0, np.where(self.is_opening, 1, -1)))

    def covered(self, chosen: Ints) -> Bools:
        """Behind which tags [T] one of these elements is open."""
        size = len(self.starts)
        change = np.bincount(chosen, minlength=size)
        change -= np.bincount(self.closings[chosen], minlength=size)
        return np.cumsum(change) > 0

    def read_values(self, name: str, chosen: Ints) -> tuple[Ints, list[str]]:
        """Number of each of these tags' value of an attribute, and the values; 0 is none.

        The tags stand in order.
        """
        end = f' {name}="'.encode()[-_WORD_BYTES:]
        shift = np.uint64(8 * (_WORD_BYTES - len(end)))
        at = np.flatnonzero(self._before_quotes >> shift == int.from_bytes(end, "little"))
        first, last = self._quotes[at] + 1, self._quotes[at + 1]
        tag = np.searchsorted(self.starts, first) - 1
        # Text may hold the same characters.
        is_asked = np.zeros(len(self.starts), np.bool_)
        is_asked[chosen] = True
        at = np.flatnonzero((last < self.ends[tag]) & is_asked[tag])
        text, numbers = self.text, {"": 0}
        found = np.zeros(len(chosen), np.int64)
        found[np.searchsorted(chosen, tag[at])] = [
            numbers.setdefault(text[start:end], len(numbers))
            for start, end in zip(first[at].tolist(), last[at].tolist(), strict=True)
        ]
        return found, list(numbers)

    def are_blank(self, firsts: Ints, ends: Ints) -> Bools:
        """Whether these spans of the markup, none of them empty, hold nothing above a space.

        Of longer ones than four words of eight characters the first and last two are looked at
        first.
        """
        sizes = ends - firsts
        last = np.maximum(ends - _WORD_BYTES, firsts)
        words = self._words[firsts] & _LOW_BYTES[np.minimum(sizes, _WORD_BYTES)]
        above = (words + _ONES * _TO_HIGH) | words
        more = np.flatnonzero((above & _HIGHS == 0) & (sizes > _WORD_BYTES))
        first, last, size = firsts[more], last[more], sizes[more]
        for at in (last, np.minimum(first + 8, last), np.maximum(last - 8, first)):
            words = self._words[at]
            above[more] |= (words + _ONES * _TO_HIGH) | words
        blank: Bools = above & _HIGHS == 0
        long = more[size > 4 * _WORD_BYTES]
        for place, start, end in zip(
            long.tolist(), firsts[long].tolist(), ends[long].tolist(), strict=True
        ):
            if blank[place]:
                blank[place] = self.text[start:end].isspace()
        return blank

    def spans(self, chosen: Ints) -> tuple[list[int], list[int]]:
        """Where these tags begin and end in the markup."""
        return self.starts[chosen].tolist(), self.ends[chosen].tolist()


def _find_starts(text: str) -> tuple[NDArray[np.uint8], Ints]:
    """The markup, one byte per character and padded, and where "<" stands in it."""
    # What a byte cannot say is no part of a mark.
    bytes_L = np.frombuffer(text.encode("latin-1", "replace") + _PADDING, np.uint8)
    return bytes_L, np.flatnonzero(bytes_L == _LESS)


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
