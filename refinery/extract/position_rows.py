"""The features of a block's position on the page: where it stands, and what stands around it.

Shapes: N blocks, S sums, F features.
"""

from __future__ import annotations

import numpy as np

from refinery.compiled import Filled, Matrix, bare_kernel
from refinery.extract.feature_layout import (
    NUM_SUMS,
    OWN,
    POSITION,
    REACHES,
    SHIFTED,
    SHIFTED_FROM,
    SHIFTS,
    WINDOWS,
)
from refinery.extract.feature_rows import OwnRow, PositionRow, SumRow, TextRow
from refinery.extract.page_arrays import Floats, PageArrays, Sums
from refinery.extract.tag_kinds import TAG_IDS

# A block is long prose above so many words, below this share of them linked.
LONG_WORDS, MOST_LINKED = np.float32(15), np.float32(0.3)

_PARAGRAPH, _ITEM = TAG_IDS["p"], TAG_IDS["li"]
_LINKED, _LINKS, _STOPS, _ENDS_WITH_STOP = (
    int(row)
    for row in (TextRow.LINKED_FRACTION, TextRow.NUM_LINKS, TextRow.NUM_STOPS, TextRow.ENDS_WITH_STOP)
)  # fmt: skip
_IS_HEADING = OWN + OwnRow.IS_HEADING
(WORDS, LINKED_WORDS, STOPS, LONG_BLOCKS, LINKS, PROSE_WORDS, BLOCKS, IMAGES, CONTROLS, HEADINGS,
 PARAGRAPHS, LIST_ITEMS) = map(int, SumRow)  # fmt: skip
_INDEX_FRACTION = POSITION + PositionRow.INDEX_FRACTION
_WORDS_BEFORE = POSITION + PositionRow.WORDS_BEFORE_FRACTION
_INDEX = POSITION + PositionRow.INDEX
# What is the same for all blocks of a page: the rest of the position, and the hints.
_FIRST_OF_PAGE = POSITION + PositionRow.PAGE_LOG_BLOCKS
_NUM_SHIFTED, _NUM_SHIFTS, _NUM_REACHES = len(SHIFTED_FROM), len(SHIFTS), len(REACHES)


@bare_kernel
def write_positions(words_N: Floats, of_page: Floats, rows_NF: Matrix[Filled[Floats]]) -> None:
    """Fill what `PositionRow` names and the hints; `of_page` are those that all blocks share."""
    num, total, before = len(rows_NF), np.float32(0), np.float32(0)
    for words in words_N:
        total += words
    for n in range(num):
        row = rows_NF[n]
        row[_INDEX_FRACTION], row[_INDEX] = n / num, n
        row[_WORDS_BEFORE] = before / total
        before += words_N[n]
        for i in range(len(of_page)):
            row[_FIRST_OF_PAGE + i] = of_page[i]


@bare_kernel
def add_up(
    page: PageArrays, words_N: Floats, rows_NF: Matrix[Floats], sums_NS: Matrix[Filled[Sums]]
) -> None:
    """Fill sums [N + 1, S] over all blocks before each: a span's sum is one difference."""
    for s in range(NUM_SUMS):
        sums_NS[0, s] = 0
    for n in range(len(rows_NF)):
        before, behind, row = sums_NS[n], sums_NS[n + 1], rows_NF[n]
        words, linked, tag = words_N[n], row[_LINKED], int(page.tag_ids[page.elements[n]])
        behind[WORDS] = before[WORDS] + words
        behind[LINKED_WORDS] = before[LINKED_WORDS] + words * linked
        behind[STOPS] = before[STOPS] + row[_STOPS]
        behind[LONG_BLOCKS] = before[LONG_BLOCKS] + (words > LONG_WORDS and linked < MOST_LINKED)
        behind[LINKS] = before[LINKS] + row[_LINKS]
        behind[PROSE_WORDS] = before[PROSE_WORDS] + (words if row[_ENDS_WITH_STOP] > 0 else 0)
        behind[BLOCKS] = before[BLOCKS] + 1
        behind[IMAGES] = before[IMAGES] + page.num_images[n]
        behind[CONTROLS] = before[CONTROLS] + page.num_controls[n]
        behind[HEADINGS] = before[HEADINGS] + row[_IS_HEADING]
        behind[PARAGRAPHS] = before[PARAGRAPHS] + (tag == _PARAGRAPH)
        behind[LIST_ITEMS] = before[LIST_ITEMS] + (tag == _ITEM)


@bare_kernel
def write_shifted(rows_NF: Matrix[Filled[Floats]]) -> None:
    """Fill some features of the blocks close before and behind; -1 beyond the page."""
    num = len(rows_NF)
    for n in range(num):
        row, at = rows_NF[n], SHIFTED
        for i in range(_NUM_SHIFTS):
            other = n + SHIFTS[i]
            if other >= 0 and other < num:
                nearby = rows_NF[other]
                for k in range(_NUM_SHIFTED):
                    row[at + k] = nearby[SHIFTED_FROM[k]]
            else:
                row[at : at + _NUM_SHIFTED] = -1
            at += _NUM_SHIFTED


@bare_kernel
def write_windows(sums_NS: Matrix[Sums], rows_NF: Matrix[Filled[Floats]]) -> None:
    """Fill averages over the blocks up to a reach before each block, then up to it behind.

    Sums are divided by the reach at the borders of a page, too, where there are fewer blocks.
    """
    num = len(rows_NF)
    for n in range(num):
        row, at, here, behind = rows_NF[n], WINDOWS, sums_NS[n], sums_NS[n + 1]
        for i in range(_NUM_REACHES):
            reach = REACHES[i]
            low, high = sums_NS[max(n - reach, 0)], sums_NS[min(n + reach + 1, num)]
            for s in range(NUM_SUMS):
                row[at + s] = (here[s] - low[s]) / reach
                row[at + NUM_SUMS + s] = (high[s] - behind[s]) / reach
            at += 2 * NUM_SUMS
