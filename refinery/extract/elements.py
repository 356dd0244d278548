"""Features from the elements of a page: a block's ancestors, containers, and blocks like it elsewhere.

Shapes: N blocks, E elements, K rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refinery.extract.blocks import Blocks
from refinery.extract.feature_rows import ContainerRow, OwnRow, SiblingRow, SumRow, TextRow
from refinery.extract.hidden import Hidden
from refinery.extract.tag_kinds import HEADING_IDS, NAME_WORDS, TAG_IDS, TAGS

Floats = NDArray[np.float32]

# How many distinct containers around a block are described, the innermost first.
NUM_LEVELS = 6
# Sums that are given per block of a container, and as shares of the page's.
_PER_BLOCK = (
    SumRow.WORDS,
    SumRow.LINKED_WORDS,
    SumRow.STOPS,
    SumRow.LONG_BLOCKS,
    SumRow.LINKS,
    SumRow.IMAGES,
    SumRow.CONTROLS,
    SumRow.HEADINGS,
    SumRow.PARAGRAPHS,
    SumRow.LIST_ITEMS,
)
_OF_PAGE = tuple(SumRow)[: SumRow.BLOCKS + 1]
NUM_CONTAINER = len(_PER_BLOCK) + len(_OF_PAGE) + len(ContainerRow)
# Blocks are compared with those under the same path as their element, and as its parent.
SIBLING_GROUPS = ("element", "parent")
_ANCESTORS = (
    "article", "main", "nav", "header", "footer", "aside", "form", "table", "ul", "ol", "section",
    "blockquote", "pre", "figure", "button", "noscript", "details", "dl", "p", "li", "tr",
)  # fmt: skip
_NUM_ABOVE = len(_ANCESTORS) + len(NAME_WORDS) + len(Hidden)
NUM_OWN = len(OwnRow) + _NUM_ABOVE + len(NAME_WORDS)
_ANCESTOR_BITS = np.array(
    [1 << _ANCESTORS.index(name) if name in _ANCESTORS else 0 for name in TAGS], np.int64
)


def own_names() -> list[str]:
    """[NUM_OWN] names of the rows that `write_own` fills."""
    return [
        *(row.name for row in OwnRow),
        *(f"IS_IN_{name.upper()}" for name in _ANCESTORS),
        *(f"{word.upper()}_ABOVE" for word in NAME_WORDS),
        *(f"IS_HIDDEN_{way.name}" for way in Hidden),
        *(f"{word.upper()}_NEAR" for word in NAME_WORDS),
    ]


def container_names() -> list[str]:
    """[NUM_CONTAINER] names of the rows that `write_containers` fills for each level."""
    return [
        *(f"{row.name}_PER_BLOCK" for row in _PER_BLOCK),
        *(f"{row.name}_OF_PAGE" for row in _OF_PAGE),
        *(row.name for row in ContainerRow),
    ]


class PageElements:
    """Elements of a page by number; `levels` [NUM_LEVELS, N] are the distinct containers of each block.

    Of elements that hold the same blocks the outermost stands for all of them.
    """

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._num_blocks = len(blocks.texts)
        parents, starts, ends = blocks.parents, blocks.starts, blocks.ends
        same = (starts == starts[parents]) & (ends == ends[parents])
        tops = np.where(same, parents, np.arange(len(parents)))
        # Each step doubles the distance that is jumped: chains of up to 2**7 elements collapse.
        for _ in range(7):
            tops = tops[tops]
        above = tops[parents]
        self.levels = np.empty((NUM_LEVELS, self._num_blocks), np.int64)
        self.levels[0] = tops[blocks.elements]
        for level in range(1, NUM_LEVELS):
            above.take(self.levels[level - 1], out=self.levels[level])

    def write_own(self, out: Floats) -> None:
        """Fill the rows of `OwnRow`, then a flag per ancestor name, then per name word.

        Words count once anywhere above the block (ABOVE), and once at its element or the parent of
        that (NEAR).
        """
        blocks, parents = self._blocks, self._blocks.parents
        marks = _ANCESTOR_BITS[blocks.tag_ids] | (blocks.name_bits << len(_ANCESTORS))
        marks |= blocks.hidden_bits << (len(_ANCESTORS) + len(NAME_WORDS))
        # Each step doubles the distance to the ancestor asked: 2**6 - 1 elements above are seen.
        for _ in range(6):
            marks |= marks[parents]
            parents = parents[parents]
        elements = blocks.elements
        above = blocks.parents[elements]
        tags = blocks.tag_ids[elements]
        out[OwnRow.TAG] = tags
        out[OwnRow.PARENT_TAG] = blocks.tag_ids[above]
        out[OwnRow.DEPTH] = blocks.depths[elements]
        out[OwnRow.IS_HEADING] = (tags >= HEADING_IDS[0]) & (tags <= HEADING_IDS[-1])
        out[OwnRow.NUM_H1] = np.cumsum(tags == TAG_IDS["h1"])
        out[OwnRow.IS_BEHIND_H1] = out[OwnRow.NUM_H1] > 0
        flags = out[len(OwnRow) :]
        flags[:_NUM_ABOVE] = (marks[elements] >> np.arange(_NUM_ABOVE)[:, None]) & 1
        near = blocks.name_bits[elements] | blocks.name_bits[above]
        flags[_NUM_ABOVE:] = (near >> np.arange(len(NAME_WORDS))[:, None]) & 1

    def write_containers(self, out: Floats, sums: NDArray[np.float64]) -> None:
        """Fill [NUM_LEVELS * NUM_CONTAINER, N] from running sums: a container's rows, by level."""
        boxes = out.reshape(NUM_LEVELS, NUM_CONTAINER, self._num_blocks).swapaxes(0, 1)
        first, last = self._blocks.starts[self.levels], self._blocks.ends[self.levels]
        inside = sums.take(last, axis=1)
        inside -= sums.take(first, axis=1)
        size = np.maximum(last - first, 1)
        num_shares = len(_OF_PAGE)
        whole = np.maximum(sums[:num_shares, -1], 1)[:, None, None]
        per_block, shares = boxes[: len(_PER_BLOCK)], boxes[len(_PER_BLOCK) :][:num_shares]
        np.divide(inside[list(_PER_BLOCK)], size, out=per_block)
        np.divide(inside[:num_shares], whole, out=shares)
        rest = boxes[-len(ContainerRow) :]
        words, linked = inside[SumRow.WORDS], inside[SumRow.LINKED_WORDS]
        np.divide(linked, np.maximum(words, 1), out=rest[ContainerRow.LINKED_FRACTION])
        np.log1p(size, out=rest[ContainerRow.LOG_BLOCKS])
        np.log1p(words, out=rest[ContainerRow.LOG_WORDS])
        index = np.arange(self._num_blocks)
        np.divide(index - first, size, out=rest[ContainerRow.INDEX_FRACTION])
        rest[ContainerRow.TAG] = self._blocks.tag_ids[self.levels]
        np.divide(first, self._num_blocks, out=rest[ContainerRow.START_FRACTION])

    def write_siblings(self, out: Floats, words: Floats, text_KN: Floats) -> None:
        """Fill the rows of `SiblingRow` for each of SIBLING_GROUPS."""
        blocks, all_words = self._blocks, words.sum()
        linked_words = words * text_KN[TextRow.LINKED_FRACTION]
        groups = blocks.elements, blocks.parents[blocks.elements]
        for number, elements in enumerate(groups):
            path = blocks.paths[elements]
            num = np.bincount(path)[path]
            total = np.bincount(path, words)[path]
            part = out[number * len(SiblingRow) :][: len(SiblingRow)]
            np.log1p(num, out=part[SiblingRow.LOG_BLOCKS])
            np.divide(total, num, out=part[SiblingRow.WORDS_PER_BLOCK])
            linked = np.bincount(path, linked_words)[path]
            np.divide(linked, total, out=part[SiblingRow.LINKED_FRACTION])
            stops = np.bincount(path, text_KN[TextRow.ENDS_WITH_STOP])[path]
            np.divide(stops, num, out=part[SiblingRow.STOP_FRACTION])
            np.divide(total, all_words, out=part[SiblingRow.WORD_FRACTION])
