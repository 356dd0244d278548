"""The tags of a parsed page as arrays, scanned from its markup as the parser writes it.

A parser that writes what it parsed escapes "<" and ">" in text and in values, and closes what it
opened: so the tags are found by comparing bytes, many times faster than by asking nodes one by one.
docs/extraction_scan.md explains the scan from the beginning.
Shapes: T tags, opening and closing ones, in order; L bytes of the padded markup; K of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from selectolax.lexbor import LexborHTMLParser

from refinery.extract.swar import (
    LOW_BYTES,
    WORD_BYTES,
    Words,
    flag_above_space,
    flag_bytes,
    keep_below_flags,
    overlapping_words,
)

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Elements whose inside the parser writes as it stood, without escapes; none of it is text of a page.
_RAW = ["script, style, template, iframe, noembed, noframes"]
# All but forgotten elements whose inside is raw, too, but is text of the page.
_RAW_TEXT = re.compile(r"(<(xmp|plaintext)\b[^>]*>)(.*?)(</\2>)", re.DOTALL)
RAW_TEXT_NAMES = ("xmp", "plaintext")
VOID_NAMES = frozenset(
    "area base basefont bgsound br col embed frame hr img input keygen link meta param source "  # noqa: SIM905
    "track wbr".split()
)
_LESS, _MORE, _QUOTE, _SLASH, _QUESTION, _BANG = b'<>"/?!'
# A name is read as two words from two bytes behind the last "<" on, so three words stay readable.
_PADDING = b"\0" * 3 * WORD_BYTES
# Odd numbers with well mixed bits, one for each word of a name (as in splitmix64 and xxHash64).
_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_SLOT_BITS = 14


def write_body(tree: LexborHTMLParser, *, is_raw_left: bool = True) -> str | None:
    """Markup of a page's body without raw elements; None where the page has no body.

    Where the caller knows that no raw elements are left, the tree is not searched for them.
    """
    body = tree.body
    if body is None:
        return None
    if is_raw_left:
        body.strip_tags(_RAW)
    return body.html or ""


def _without_comments(text: str) -> str:
    # By search: a pattern would go through each comment character by character.
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

    `is_void` and `is_raw` are by number of a name. The inside of raw elements is escaped, and the
    markup scanned again.
    """
    tags = Tags(text, names, is_void)
    if is_raw[tags.name_ids].any():
        return Tags(_RAW_TEXT.sub(_escaped, tags.text), names, is_void)
    return tags


def _escaped(element: re.Match[str]) -> str:
    text = element[3].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return element[1] + text + element[4]


class TagNames:
    """Numbers of names, from 1; 0 is any other name. Names are told apart by their first 16 bytes.

    A hash table without collisions: the factor is chosen such that each name has a slot of its own,
    so one look-up and one comparison of hashes settle a name.
    """

    def __init__(self, names: Sequence[str]) -> None:
        padded = b"".join(name.encode().ljust(2 * WORD_BYTES, b"\0") for name in names)
        words: Words = np.frombuffer(padded, "<u8").reshape(-1, 2)
        hashes: Words = words[:, 0] * _FACTORS[0] + words[:, 1] * _FACTORS[1]
        factor = np.uint64(1)
        while len(set(_slots(hashes, factor).tolist())) < len(names):
            factor += np.uint64(2)
        self._factor = factor
        self._numbers = np.zeros(1 << _SLOT_BITS, np.int64)
        self._numbers[_slots(hashes, factor)] = np.arange(1, len(names) + 1)
        self._hashes = np.append(np.uint64(0), hashes)

    def number(self, words: Words, offsets: Ints) -> Ints:
        """Numbers [K] of the names that begin at these offsets; `words` overlap, one at each byte."""
        first, is_long = _cut_name(words[offsets])
        hashes = first * _FACTORS[0]
        more = np.flatnonzero(is_long)
        hashes[more] += _cut_name(words[offsets[more] + WORD_BYTES])[0] * _FACTORS[1]
        numbers = self._numbers.take(_slots(hashes, self._factor))
        numbers[self._hashes.take(numbers) != hashes] = 0
        return numbers


def _slots(hashes: Words, factor: np.uint64) -> Ints:
    """Slot of each hash: the highest bits of its product, which depend on all of its bits."""
    return ((hashes * factor) >> np.uint64(64 - _SLOT_BITS)).astype(np.int64)


def _cut_name(words: Words) -> tuple[Words, Bools]:
    """Keep the bytes before the first space or ">"; the second array tells where there is none."""
    flags = flag_bytes(words, ord(" "), ord(">"))
    return keep_below_flags(words, flags), flags == 0


class Tags:
    """The tags of a body: where they stand, their names, and where each element ends.

    Attributes:
        text: The markup of the body, to which all offsets refer.
        starts, ends: [T] offsets of "<" and ">" in it.
        name_ids: [T] numbers of `TagNames`.
        is_opening: [T] false for closing tags.
        is_void: [T] whether the tag holds nothing and has no closing tag.
        closings: [T] index of an opening tag's closing one; any other tag's own index.
    """

    def __init__(self, text: str, names: TagNames, is_void: Bools) -> None:
        bytes_L, starts = _find_starts(text)
        if (bytes_L[starts + 1] == _BANG).any():
            text = _without_comments(text)
            bytes_L, starts = _find_starts(text)
        self.text = text
        self._words = overlapping_words(bytes_L)
        quotes = np.flatnonzero(bytes_L == _QUOTE)
        # The markup begins with "<body": no attribute has a quote in the first word.
        self._quotes = quotes[np.searchsorted(quotes, WORD_BYTES) :]
        # The word that ends with each quote; the last quote opens nothing.
        self._before_quotes: Words = self._words[self._quotes[:-1] - (WORD_BYTES - 1)]
        self.ends = np.flatnonzero(bytes_L == _MORE)
        if len(starts) != len(self.ends):
            # The name of an attribute may hold "<", where a page forgot a quote or a bracket: a tag
            # begins at the first "<" behind the ">" of the tag before.
            starts = starts[np.searchsorted(starts, np.append(-1, self.ends[:-1]))]
        self.starts: Ints = starts
        behind = bytes_L[starts + 1]
        self.is_opening: Bools = behind != _SLASH
        self.name_ids = names.number(self._words, starts + 2 - self.is_opening)
        # Instructions ("<?php ...>") hold nothing, either.
        self.is_void: Bools = is_void[self.name_ids] | (behind == _QUESTION)
        self.closings = _match(np.where(self.is_void, 0, np.where(self.is_opening, 1, -1)))

    def covered(self, chosen: Ints) -> Bools:
        """Whether one of these elements is open behind each tag [T]; opening tags are given by index."""
        size = len(self.starts)
        change = np.bincount(chosen, minlength=size)
        change -= np.bincount(self.closings[chosen], minlength=size)
        return np.cumsum(change) > 0

    def read_values(self, name: str, chosen: Ints) -> tuple[Ints, list[str]]:
        """Number of the value that an attribute has in each of these tags, and the values by number.

        Number 0 is the empty value, or none. The tags are given by index, in order.
        """
        # The parser writes an attribute as ` name="value"`. Words that end with a quote are compared
        # with the last eight bytes of that; a shorter mark leaves the lowest bytes out.
        mark = f' {name}="'.encode()[-WORD_BYTES:]
        shift = np.uint64(8 * (WORD_BYTES - len(mark)))
        hits = np.flatnonzero(self._before_quotes >> shift == int.from_bytes(mark, "little"))
        first, last = self._quotes[hits] + 1, self._quotes[hits + 1]
        tag = np.searchsorted(self.starts, first) - 1
        is_chosen = np.zeros(len(self.starts), np.bool_)
        is_chosen[chosen] = True
        # Text between tags may hold the same characters: it lies behind the end of its tag.
        inside = np.flatnonzero((last < self.ends[tag]) & is_chosen[tag])
        text, numbers = self.text, {"": 0}
        values = np.zeros(len(chosen), np.int64)
        values[np.searchsorted(chosen, tag[inside])] = [
            numbers.setdefault(text[start:end], len(numbers))
            for start, end in zip(first[inside].tolist(), last[inside].tolist(), strict=True)
        ]
        return values, list(numbers)

    def are_blank(self, firsts: Ints, ends: Ints) -> Bools:
        """Whether these spans of the markup, none of them empty, hold nothing above a space.

        One word settles most spans, and up to four overlapping words all that have no more than four
        words of bytes. Longer ones, of which these words see the first and the last two, are read
        whole only if the words are blank.
        """
        sizes = ends - firsts
        last = np.maximum(ends - WORD_BYTES, firsts)
        words = self._words[firsts] & LOW_BYTES[np.minimum(sizes, WORD_BYTES)]
        flags = flag_above_space(words)
        more = np.flatnonzero((flags == 0) & (sizes > WORD_BYTES))
        first, last, size = firsts[more], last[more], sizes[more]
        second, third = np.minimum(first + WORD_BYTES, last), np.maximum(last - WORD_BYTES, first)
        for offsets in (last, second, third):
            flags[more] |= flag_above_space(self._words[offsets])
        blank: Bools = flags == 0
        long = more[size > 4 * WORD_BYTES]
        for index, start, end in zip(
            long.tolist(), firsts[long].tolist(), ends[long].tolist(), strict=True
        ):
            if blank[index]:
                blank[index] = self.text[start:end].isspace()
        return blank

    def index_at(self, offset: int) -> int:
        """Index of the tag that begins at this offset of the markup, or is the last one before it."""
        return int(np.searchsorted(self.starts, offset, "right")) - 1

    def spans(self, chosen: Ints) -> tuple[list[int], list[int]]:
        """Offsets of "<" and of ">" of these tags, as lists."""
        return self.starts[chosen].tolist(), self.ends[chosen].tolist()


def _find_starts(text: str) -> tuple[NDArray[np.uint8], Ints]:
    """The padded markup [L], one byte per character, and the offsets of "<" in it.

    So offsets of bytes are offsets of characters. What Latin-1 cannot say becomes "?", which is no
    part of a tag's name here and no blank.
    """
    bytes_L = np.frombuffer(text.encode("latin-1", "replace") + _PADDING, np.uint8)
    return bytes_L, np.flatnonzero(bytes_L == _LESS)


def _match(steps: Ints) -> Ints:
    """Index of each opening tag's closing one, from what each tag adds to the depth: 1, 0 or -1.

    An opening tag and its closing one have the same depth, and of one depth only one element is open
    at a time: sorted by depth, and by index within a depth, the two stand side by side.
    """
    closings = np.arange(len(steps))
    turns = np.flatnonzero(steps)
    step = steps[turns]
    depths = np.cumsum(step) - (step > 0)
    # numpy's stable sort of 16-bit integers is a radix sort.
    small = np.int16 if int(depths.max(initial=0)) < 32_000 else np.int64
    order = turns[np.argsort(depths.astype(small), kind="stable")]
    closings[order[:-1:2]] = order[1::2]
    return closings
