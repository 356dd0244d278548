"""Numbers that describe each block of a page: its text, element, containers and neighbours.

Kernels write them row by row, as the trees read them. `feature_layout.py` says what stands where in a
row, and names it.
Shapes: N blocks, E elements, F features.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from refinery.extract.blocks import Blocks
from refinery.extract.element_rows import (
    ANCESTOR_BITS,
    NUM_PATH_SUMS,
    find_tops,
    write_containers,
    write_likes,
    write_own,
)
from refinery.extract.feature_layout import (
    NUM_CONTAINER,
    NUM_FEATURES,
    NUM_SUMS,
    POSITION,
    SIBLING_GROUPS,
)
from refinery.extract.feature_rows import PositionRow, TextRow
from refinery.extract.mark_rows import find_common, find_title, write_marks, write_said, write_title
from refinery.extract.marks import find_marks, trie_of_phrases
from refinery.extract.page_arrays import Floats, Ints, PageArrays, Sums, arrays_of
from refinery.extract.position_rows import (
    add_up,
    write_positions,
    write_shifted,
    write_windows,
)
from refinery.extract.text_rows import (
    CHARS,
    NUM_COUNTS,
    NUM_EQUAL,
    SAID_MATCH,
    TITLE_MATCH,
    count_characters,
    fields_of_kinds,
    kinds_of_characters,
    write_texts,
)

# Shorter openings stand in many texts by chance.
SAID_CHARS = 30


@dataclass(frozen=True)
class PageFeatures:
    """Features [N, F] of a page's blocks, words of each [N], and facts of the page for its cut."""

    rows: Floats
    words: Floats
    facts: tuple[float, ...] = ()


def compute_features(blocks: Blocks) -> PageFeatures:
    """Fill all features of a page that has blocks; a wide (CJK) character is a word."""
    num, page = len(blocks.texts), arrays_of(blocks)
    rows, words = np.empty((num, NUM_FEATURES), np.float32), np.empty(num, np.float32)
    counts = np.empty((num, NUM_COUNTS), np.int64)
    count_characters(blocks.utf8, blocks.bounds, kinds_of_characters(), fields_of_kinds(), counts)
    write_texts(page, counts, _matches(blocks, counts[:, CHARS]), words, rows)
    tops, sums = _write_elements(page, words, rows)
    _write_landmarks(blocks, page, tops, sums, rows)
    of_page = _facts_of_page(blocks, words, rows)
    write_positions(words, of_page, rows)
    write_shifted(rows)
    wide = float(rows[0, POSITION + PositionRow.PAGE_WIDE_FRACTION])
    return PageFeatures(rows, words, (wide, *blocks.hints.flags))


def _write_elements(page: PageArrays, words: Floats, rows: Floats) -> tuple[Ints, Sums]:
    """Fill what the elements around the blocks tell, and the windows over the blocks nearby.

    Returns:
        Of each element the outermost that holds the same blocks, and sums over the blocks before each.
    """
    num, num_elements = len(rows), len(page.parents)
    write_own(page, ANCESTOR_BITS, np.empty(num_elements, np.int64), rows)
    sums = np.empty((num + 1, NUM_SUMS))
    add_up(page, words, rows, sums)
    write_windows(sums, rows)
    tops = np.empty(num_elements, np.int64)
    find_tops(page, tops)
    boxes = np.empty((num_elements, NUM_CONTAINER), np.float32)
    write_containers(page, tops, sums, boxes, np.zeros(num_elements, np.bool_), rows)
    num_paths = int(page.paths.max()) + 1
    for group in range(len(SIBLING_GROUPS)):
        write_likes(page, words, np.zeros((num_paths, NUM_PATH_SUMS)), group, rows)
    return tops, sums


def _write_landmarks(
    blocks: Blocks, page: PageArrays, tops: Ints, sums: Sums, rows: Floats
) -> None:
    """Fill how the blocks stand to the marks, the title and the description of their page."""
    marks, levels, common = (np.empty(num, np.int64) for num in (len(rows), len(tops), len(tops)))
    find_marks(blocks.utf8, blocks.bounds, trie_of_phrases(), marks)
    write_marks(page, tops, marks, rows)
    title = find_title(page, rows)
    find_common(page, tops, title, levels, common)
    write_title(page, title, levels, common, sums, rows)
    write_said(math.log1p(len(blocks.hints.said)), sums, rows)


def _matches(blocks: Blocks, lengths: Ints) -> Floats:
    """[N, 3] how each text stands to the title, to the page's description, and to the other texts."""
    matches = np.zeros((len(blocks.texts), 3), np.float32)
    texts, title, said = blocks.texts, blocks.title or "", blocks.hints.said
    # 1 for a block that is the page's title, 0.5 for a part of it.
    for block in np.flatnonzero((lengths > 3) & (lengths <= len(title))).tolist():
        if texts[block] in title:
            matches[block, TITLE_MATCH] = 1.0 if texts[block] == title else 0.5
    # 1 for a block that begins like the page's own description, -1 for a short one.
    if said:
        opening = said[:SAID_CHARS]
        matches[:, SAID_MATCH] = np.where(lengths < SAID_CHARS, -1, 0)
        for block in np.flatnonzero(lengths >= SAID_CHARS).tolist():
            text = texts[block]
            if text[:SAID_CHARS] in said or opening in text:
                matches[block, SAID_MATCH] = 1
    matches[:, NUM_EQUAL] = list(map(Counter(texts).__getitem__, texts))
    return matches


def _facts_of_page(blocks: Blocks, words: Floats, rows: Floats) -> Floats:
    """The last rows of `PositionRow`, and the page's hints."""
    total = words.sum()
    linked, stops, wide = (
        np.ascontiguousarray(rows[:, row])
        for row in (TextRow.LINKED_FRACTION, TextRow.ENDS_WITH_STOP, TextRow.WIDE_FRACTION)
    )
    return np.array(
        [
            np.log1p(len(words)),  # PAGE_LOG_BLOCKS
            np.log1p(total),  # PAGE_LOG_WORDS
            (words * linked).sum() / total,  # PAGE_LINKED_FRACTION
            stops.mean(),  # PAGE_STOP_FRACTION
            wide.mean(),  # PAGE_WIDE_FRACTION
            blocks.num_images.mean(),  # PAGE_IMAGES_PER_BLOCK
            blocks.num_controls.mean(),  # PAGE_CONTROLS_PER_BLOCK
            *blocks.hints.flags,
        ],
        np.float32,
    )
