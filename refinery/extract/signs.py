"""Words in class, id or role that call for a closer look at an element, noted while a page is scanned.

The scan notes them as bits behind those of NAME_WORDS, so a page without them costs no search.
"""

from __future__ import annotations

import functools
import re

import numpy as np
from numpy.typing import NDArray

from refinery.extract.tag_kinds import NAME_WORDS
from refinery.extract.tags import Tags

Ints = NDArray[np.int64]

SIGN_WORDS = (
    "line", "fragment", "syntaxhighlighter", "gutter", "num", "editsection", "viewcode",
    "sr-only", "visually", "screen-reader", "screenreader", "offscreen", "assistive", "pagen", "page-n",
    "stanza", "verse", "strophe", "listitem", "columnheader", "rowheader", "gridcell", "heading", "task",
    "poem", "poet", "backlink", "crayon", "copy", "btn", "clip", "file-line", "line-group", "linegroup",
)  # fmt: skip
SCANNED_WORDS = (*NAME_WORDS, *SIGN_WORDS)
NAME_BITS = (1 << len(NAME_WORDS)) - 1


class Signs:
    """Where the elements of a page are that may need a closer look."""

    def __init__(self, tags: Tags) -> None:
        self._tags = tags
        bits = tags.name_bits >> len(NAME_WORDS)
        # Few elements have any sign. Closing tags have no names.
        self._chosen = np.flatnonzero(bits)
        self._bits = bits[self._chosen]
        self._all = int(np.bitwise_or.reduce(self._bits)) if len(self._bits) else 0

    def has(self, *words: str) -> bool:
        """Whether any element has one of these words."""
        return bool(self._all & _mask(words))

    def find(self, *words: str) -> list[int]:
        """Opening tags that hold one of these words, in order."""
        mask = _mask(words)
        if not self._all & mask:
            return []
        found: list[int] = self._chosen[self._bits & mask != 0].tolist()
        return found

    def find_named(self, pattern: re.Pattern[str], *words: str) -> list[int]:
        """Those of them whose tag matches a pattern."""
        return [tag for tag in self.find(*words) if pattern.search(self._tags.markup_of(tag))]


@functools.cache
def _mask(words: tuple[str, ...]) -> int:
    return sum(1 << SIGN_WORDS.index(word) for word in words)
