"""The elements of a page as arrays: containers of blocks, and blocks of the same kind.

Shapes: N blocks, E elements, K columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinery.extract.blocks import TAG_IDS, TAGS, WORDS, Blocks

Floats = NDArray[np.float32]

NUM_LEVELS = 6
# Columns of `features._sums`: what is given per block of a container, and as a share of the page.
_PER_BLOCK = [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]
_OF_PAGE = [0, 1, 2, 3, 4, 5, 6]
_ANCESTORS = (
    "article", "main", "nav", "header", "footer", "aside", "form", "table", "ul", "ol", "section",
    "blockquote", "pre", "figure", "button", "noscript", "details", "dl", "p", "li", "tr",
)  # fmt: skip
_ANCESTOR_BITS = np.array(
    [1 << _ANCESTORS.index(name) if name in _ANCESTORS else 0 for name in TAGS], np.int64
)


class PageTree:
    """Elements as arrays; `tops[e]` is the outermost element with the same blocks as e."""

    def __init__(self, blocks: Blocks) -> None:
        self.elements = blocks.elements
        self.parents = blocks.parents
        self.starts = blocks.starts
        self.ends = blocks.ends
        self.tags = blocks.tags
        self.paths = blocks.paths
        self.masks = blocks.masks
        self.num_blocks = len(blocks.texts)
        parents = self.parents
        same = (self.starts == self.starts[parents]) & (self.ends == self.ends[parents])
        tops = np.where(same, parents, np.arange(len(parents)))
        for _ in range(7):
            tops = tops[tops]
        self.levels = [tops[self.elements]]
        for _ in range(NUM_LEVELS - 1):
            self.levels.append(tops[parents[self.levels[-1]]])
        self.own_NK = self._own(blocks.depths.astype(np.float32))

    def _own(self, depths: Floats) -> Floats:
        marks = _ANCESTOR_BITS[self.tags] | (self.masks << len(_ANCESTORS))
        parents = self.parents
        for _ in range(6):
            marks |= marks[parents]
            parents = parents[parents]
        e = self.elements
        flags = (marks[e][:, None] >> np.arange(len(_ANCESTORS) + len(WORDS))) & 1
        own = self.masks[e] | self.masks[self.parents[e]]
        near = (own[:, None] >> np.arange(len(WORDS))) & 1
        tags: list[NDArray[Any]] = [self.tags[e], self.tags[self.parents[e]], depths[e]]
        is_heading = (self.tags[e] >= TAG_IDS["h1"]) & (self.tags[e] <= TAG_IDS["h6"])
        seen_h1 = np.cumsum(self.tags[e] == TAG_IDS["h1"])
        return np.column_stack([*tags, is_heading, seen_h1, seen_h1 > 0, flags, near]).astype(
            np.float32
        )

    def container(self, sums: Floats, level: int) -> Floats:
        """What the level-th distinct container above each block holds."""
        box = self.levels[level]
        first, last = self.starts[box], self.ends[box]
        inside = sums[last] - sums[first]
        whole = np.maximum(sums[-1], 1)
        size = np.maximum(last - first, 1)[:, None]
        place = (np.arange(self.num_blocks) - first) / size[:, 0]
        return np.column_stack(
            [
                inside[:, _PER_BLOCK] / size, inside[:, _OF_PAGE] / whole[_OF_PAGE],
                inside[:, 1] / np.maximum(inside[:, 0], 1), np.log1p(size), np.log1p(inside[:, 0]),
                place, self.tags[box], first / self.num_blocks,
            ]
        ).astype(np.float32)  # fmt: skip

    def siblings(self, words: Floats, text_NK: Floats) -> Floats:
        """Blocks elsewhere on the page under the same path of tags and classes."""
        columns = []
        for element in (self.elements, self.parents[self.elements]):
            group = self.paths[element]
            count = np.bincount(group)
            total = np.bincount(group, words)
            linked = np.bincount(group, words * text_NK[:, 2])
            stops = np.bincount(group, text_NK[:, 12])
            num = count[group]
            columns += [
                np.log1p(num), total[group] / num, linked[group] / total[group],
                stops[group] / num, total[group] / words.sum(),
            ]  # fmt: skip
        return np.column_stack(columns).astype(np.float32)
