"""The elements of a page as arrays: containers of blocks, and blocks of the same kind.

Shapes: N blocks, E elements, K columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refinery.extract.blocks import TAG_IDS, TAGS, WORDS, Blocks

Floats = NDArray[np.float32]

NUM_LEVELS = 6
# Rows of `features._sums`: what is given per block of a container, and as a share of the page.
_PER_BLOCK = [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]
_OF_PAGE = [0, 1, 2, 3, 4, 5, 6]
NUM_BOX = len(_PER_BLOCK) + len(_OF_PAGE) + 6
NUM_SIBLING = 10
_ANCESTORS = (
    "article", "main", "nav", "header", "footer", "aside", "form", "table", "ul", "ol", "section",
    "blockquote", "pre", "figure", "button", "noscript", "details", "dl", "p", "li", "tr",
)  # fmt: skip
NUM_OWN = 6 + len(_ANCESTORS) + 2 * len(WORDS)
_ANCESTOR_BITS = np.array(
    [1 << _ANCESTORS.index(name) if name in _ANCESTORS else 0 for name in TAGS], np.int64
)


class PageElements:
    """Elements as arrays; `levels` [L, N] are the distinct containers around each block.

    Of elements with the same blocks the outermost stands for all.
    """

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._num_blocks = len(blocks.texts)
        parents, starts, ends = blocks.parents, blocks.starts, blocks.ends
        same = (starts == starts[parents]) & (ends == ends[parents])
        tops = np.where(same, parents, np.arange(len(parents)))
        # Chains of up to 128 elements.
        for _ in range(7):
            tops = tops[tops]
        above = tops[parents]
        self.levels = np.empty((NUM_LEVELS, self._num_blocks), np.int64)
        self.levels[0] = tops[blocks.elements]
        for level in range(1, NUM_LEVELS):
            above.take(self.levels[level - 1], out=self.levels[level])

    def write_own(self, out: Floats) -> None:
        """What the element of each block is, and which elements and words are above it and near."""
        blocks, parents = self._blocks, self._blocks.parents
        marks = _ANCESTOR_BITS[blocks.tags] | (blocks.masks << len(_ANCESTORS))
        # Up to 63 elements above.
        for _ in range(6):
            marks |= marks[parents]
            parents = parents[parents]
        e = blocks.elements
        tags = blocks.tags[e]
        out[0] = tags
        out[1] = blocks.tags[blocks.parents[e]]
        out[2] = blocks.depths[e]
        out[3] = (tags >= TAG_IDS["h1"]) & (tags <= TAG_IDS["h6"])
        out[4] = np.cumsum(tags == TAG_IDS["h1"])
        out[5] = out[4] > 0
        num = len(_ANCESTORS) + len(WORDS)
        out[6 : 6 + num] = (marks[e] >> np.arange(num)[:, None]) & 1
        near = blocks.masks[e] | blocks.masks[blocks.parents[e]]
        out[6 + num :] = (near >> np.arange(len(WORDS))[:, None]) & 1

    def write_containers(self, out: Floats, sums: NDArray[np.float64]) -> None:
        """What each distinct container above each block holds, level by level [L * 23, N]."""
        boxes = out.reshape(NUM_LEVELS, NUM_BOX, self._num_blocks).swapaxes(0, 1)
        first, last = self._blocks.starts[self.levels], self._blocks.ends[self.levels]
        inside = sums.take(last, axis=1)
        inside -= sums.take(first, axis=1)
        size = np.maximum(last - first, 1)
        whole = np.maximum(sums[_OF_PAGE, -1], 1)[:, None, None]
        num = len(_PER_BLOCK)
        np.divide(inside[_PER_BLOCK], size, out=boxes[:num])
        np.divide(inside[: len(_OF_PAGE)], whole, out=boxes[num : num + len(_OF_PAGE)])
        rest = boxes[num + len(_OF_PAGE) :]
        np.divide(inside[1], np.maximum(inside[0], 1), out=rest[0])
        np.log1p(size, out=rest[1])
        np.log1p(inside[0], out=rest[2])
        np.divide(np.arange(self._num_blocks) - first, size, out=rest[3])
        rest[4] = self._blocks.tags[self.levels]
        np.divide(first, self._num_blocks, out=rest[5])

    def write_siblings(self, out: Floats, words: Floats, text_KN: Floats) -> None:
        """Blocks elsewhere on the page under the same path of tags and classes."""
        blocks, all_words = self._blocks, words.sum()
        linked_words = words * text_KN[2]
        for place, element in enumerate((blocks.elements, blocks.parents[blocks.elements])):
            group = blocks.paths[element]
            num = np.bincount(group)[group]
            total = np.bincount(group, words)[group]
            part = out[5 * place : 5 * place + 5]
            np.log1p(num, out=part[0])
            np.divide(total, num, out=part[1])
            np.divide(np.bincount(group, linked_words)[group], total, out=part[2])
            np.divide(np.bincount(group, text_KN[12])[group], num, out=part[3])
            np.divide(total, all_words, out=part[4])
