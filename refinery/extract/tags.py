"""The tags of a page as arrays, with the markup that they stand in.

Shapes: T tags, opening and closing ones, in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags of a body: where they stand, their names, where each element ends, what they say.

    Attributes:
        text: The markup of the body, to which all offsets refer.
        starts, ends: [T] offsets of "<" and ">" in it.
        name_ids: [T] numbers of names as in `tag_kinds.py`; 0 for any other name.
        is_opening: [T] false for closing tags.
        closings: [T] index of an opening tag's closing one; any other tag's own index.
        is_blank: [T] whether the text behind a tag holds nothing above a space.
        classes: [T] equal numbers for equal values of `class`; 0 for none.
        name_bits: [T] bit i where NAME_WORDS[i] is in the class, id, role or itemprop.
        numbers, col_spans, row_spans: [T] what `start` or `value`, `colspan`, `rowspan` say; else -1.
    """

    text: str
    starts: Ints
    ends: Ints
    name_ids: Ints
    is_opening: Bools
    closings: Ints
    is_blank: Bools
    classes: Ints
    name_bits: Ints
    numbers: Ints
    col_spans: Ints
    row_spans: Ints

    def covered(self, chosen: Ints) -> Bools:
        """Whether one of these elements is open behind each tag [T]; opening tags are given by index."""
        size = len(self.starts)
        change = np.bincount(chosen, minlength=size)
        change -= np.bincount(self.closings[chosen], minlength=size)
        return np.cumsum(change) > 0

    def index_at(self, offset: int) -> int:
        """Index of the tag that begins at this offset of the markup, or is the last one before it."""
        return int(np.searchsorted(self.starts, offset, "right")) - 1

    def spans(self, chosen: Ints) -> tuple[list[int], list[int]]:
        """Offsets of "<" and of ">" of these tags, as lists."""
        return self.starts[chosen].tolist(), self.ends[chosen].tolist()
