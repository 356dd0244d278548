"""The tags of a page as arrays, with the markup that they stand in.

Most pages are read from the bytes of their markup alone. Who searches it as text gets it decoded, with
offsets of characters, once it is asked for.
Shapes: U bytes of the markup in UTF-8, T tags, opening and closing ones, in order.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, bare_kernel
from refinery.extract.kinds import cover, sort_by_name
from refinery.extract.scan.attributes import note_attributes
from refinery.extract.scan.builder import MOST_NAMES

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]


@bare_kernel
def find_blanks(markup_U: Bytes, firsts_T: Ints, lasts_T: Ints, is_blank_T: Filled[Bools]) -> None:
    """Tell where the text behind a tag holds nothing above a space; behind the last one there is none."""
    for tag in range(len(firsts_T) - 1):
        at, end = int(lasts_T[tag]) + 1, int(firsts_T[tag + 1])
        while at < end and markup_U[at] <= 32:
            at += 1
        is_blank_T[tag] = at >= end
    if len(is_blank_T) > 0:
        is_blank_T[len(is_blank_T) - 1] = True


@bare_kernel
def count_characters_before(markup_U: Bytes, offsets_T: Ints, counts_T: Filled[Ints]) -> None:
    """Turn rising offsets of bytes into offsets of characters."""
    at = num = 0
    for tag in range(len(offsets_T)):
        end = min(int(offsets_T[tag]), len(markup_U))
        while at < end:
            num += markup_U[at] & 0xC0 != 0x80
            at += 1
        counts_T[tag] = num


@dataclass(frozen=True)
class Tags:
    """The tags of a body: where they stand, their names, where each element ends, what they say.

    Attributes:
        markup: [U] the markup of the body.
        firsts, lasts: [T] offsets of "<" and ">" in it.
        name_ids: [T] numbers of names as in `tag_kinds.py`; 0 for any other name.
        is_opening: [T] false for closing tags.
        closings: [T] index of an opening tag's closing one; any other tag's own index.
        classes: [T] equal numbers for equal values of `class`; 0 for none.
        name_bits: [T] bit i where NAME_WORDS[i] is in the class, id, role or itemprop.
        numbers, col_spans, row_spans: [T] what `start` or `value`, `colspan`, `rowspan` say; else -1.
    """

    markup: Bytes
    firsts: Ints
    lasts: Ints
    name_ids: Ints
    is_opening: Bools
    closings: Ints
    classes: Ints
    name_bits: Ints
    numbers: Ints
    col_spans: Ints
    row_spans: Ints

    @functools.cached_property
    def is_blank(self) -> Bools:
        """[T] whether the text behind a tag holds nothing above a space."""
        is_blank = np.empty(len(self.firsts), np.bool_)
        find_blanks(self.markup, self.firsts, self.lasts, is_blank)
        return is_blank

    @functools.cached_property
    def attribute_bits(self) -> Ints:
        """[T] what the attributes of each tag call for, as `scan/attributes.py` has it."""
        bits = np.empty(len(self.firsts), np.int64)
        note_attributes(self.markup, self.firsts, self.lasts, self.is_opening, bits)
        return bits

    @functools.cached_property
    def text(self) -> str:
        """The markup of the body, to which `starts` and `ends` refer."""
        return self.markup.tobytes().decode("utf-8", "replace")

    @functools.cached_property
    def starts(self) -> Ints:
        """[T] offsets of "<" in the text."""
        return self._in_characters(self.firsts)

    @functools.cached_property
    def ends(self) -> Ints:
        """[T] offsets of ">" in the text."""
        return self._in_characters(self.lasts)

    def _in_characters(self, offsets: Ints) -> Ints:
        if len(self.text) == len(self.markup):
            return offsets
        counts = np.empty(len(offsets), np.int64)
        count_characters_before(self.markup, offsets, counts)
        return counts

    def markup_of(self, tag: int) -> str:
        """One tag as it is written."""
        written = self.markup[int(self.firsts[tag]) : int(self.lasts[tag]) + 1]
        return written.tobytes().decode("utf-8", "replace")

    def named(self, number: int) -> Ints:
        """Opening tags of one name, in order."""
        bounds, sorted_tags = self._by_name
        return sorted_tags[bounds[number] : bounds[number + 1]]

    @functools.cached_property
    def _by_name(self) -> tuple[list[int], Ints]:
        bounds = np.empty(MOST_NAMES + 1, np.int64)
        sorted_tags = np.empty(len(self.firsts), np.int64)
        sort_by_name(self.name_ids, self.is_opening, bounds, sorted_tags)
        return bounds.tolist(), sorted_tags

    def covered(self, chosen: Ints) -> Bools:
        """Whether one of these elements is open behind each tag [T]; opening tags are given by rising index."""
        is_covered = np.empty(len(self.firsts), np.bool_)
        cover(self.closings, chosen, is_covered)
        return is_covered

    def index_at(self, offset: int) -> int:
        """Index of the tag that begins at this offset of the text, or is the last one before it."""
        return int(np.searchsorted(self.starts, offset, "right")) - 1

    def spans(self, chosen: Ints) -> tuple[list[int], list[int]]:
        """Offsets of "<" and of ">" of these tags in the text, as lists."""
        return self.starts[chosen].tolist(), self.ends[chosen].tolist()

    def inside_of(self, tag: int) -> str:
        """The markup between an opening tag and its closing one."""
        written = self.markup[int(self.lasts[tag]) + 1 : int(self.firsts[self.closings[tag]])]
        return written.tobytes().decode("utf-8", "replace")
