"""Features from the elements of a page: a block's ancestors, containers, and blocks like it elsewhere.

Shapes: N blocks, E elements, S sums, P paths, F features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, Matrix, bare_kernel, inner_kernel
from refinery.extract.feature_layout import (
    ABOVE,
    ANCESTORS,
    CONTAINERS,
    NEAR,
    NUM_ABOVE,
    NUM_CONTAINER,
    NUM_LEVELS,
    NUM_OF_PAGE,
    NUM_SIBLING,
    OWN,
    PER_BLOCK,
    SIBLINGS,
)
from refinery.extract.feature_rows import ContainerRow, OwnRow, SiblingRow, TextRow
from refinery.extract.page_arrays import Floats, Ints, PageArrays, Sums
from refinery.extract.position_rows import BLOCKS, LINKED_WORDS, WORDS
from refinery.extract.tag_kinds import HEADING_IDS, NAME_WORDS, TAG_IDS, TAGS

# By number of a tag, the bit of its name among the ancestors.
ANCESTOR_BITS = np.array(
    [1 << ANCESTORS.index(name) if name in ANCESTORS else 0 for name in TAGS], np.int64
)
_NUM_ANCESTORS, _NUM_WORDS = len(ANCESTORS), len(NAME_WORDS)
_FIRST_HEADING, _LAST_HEADING, _H1 = HEADING_IDS[0], HEADING_IDS[-1], TAG_IDS["h1"]
_TAG, _PARENT_TAG, _DEPTH, _IS_HEADING, _NUM_H1, _IS_BEHIND_H1 = (OWN + row for row in OwnRow)
_NUM_PER_BLOCK = len(PER_BLOCK)
_REST = _NUM_PER_BLOCK + NUM_OF_PAGE
(_LINKED_FRACTION, _LOG_BLOCKS, _LOG_WORDS, _INDEX_FRACTION, _CONTAINER_TAG,
 _START_FRACTION) = (_REST + row for row in ContainerRow)  # fmt: skip
(_LIKE_LOG_BLOCKS, _LIKE_WORDS, _LIKE_LINKED, _LIKE_STOPS, _LIKE_SHARE) = map(int, SiblingRow)
_LINKED, _ENDS_WITH_STOP = TextRow.LINKED_FRACTION + 0, TextRow.ENDS_WITH_STOP + 0
# Columns of the sums over one path.
_NUM, _ALL_WORDS, _ALL_LINKED, _ALL_STOPS = range(4)
NUM_PATH_SUMS = 4


@bare_kernel
def write_own(
    page: PageArrays, ancestor_bits: Ints, marks_E: Filled[Ints], rows_NF: Matrix[Filled[Floats]]
) -> None:
    """Fill what `OwnRow` names, then a flag per ancestor name, name word above, way of hiding, word near.

    Words count once anywhere above the block (above), and once at its element or the parent of that
    (near). `marks_E` becomes the bits of all above.
    """
    for e in range(len(marks_E)):
        bits = int(ancestor_bits[page.tag_ids[e]]) | int(page.name_bits[e]) << _NUM_ANCESTORS
        bits |= int(page.hidden_bits[e]) << (_NUM_ANCESTORS + _NUM_WORDS)
        marks_E[e] = bits | marks_E[page.parents[e]] if e > 0 else bits
    num_h1 = 0
    for n in range(len(rows_NF)):
        row, element = rows_NF[n], page.elements[n]
        parent, tag = page.parents[element], int(page.tag_ids[element])
        num_h1 += tag == _H1
        row[_TAG], row[_PARENT_TAG] = tag, page.tag_ids[parent]
        row[_DEPTH], row[_NUM_H1] = page.depths[element], num_h1
        row[_IS_HEADING] = tag >= _FIRST_HEADING and tag <= _LAST_HEADING
        row[_IS_BEHIND_H1] = num_h1 > 0
        marks, near = marks_E[element], page.name_bits[element] | page.name_bits[parent]
        for bit in range(NUM_ABOVE):
            row[ABOVE + bit] = marks >> bit & 1
        for bit in range(_NUM_WORDS):
            row[NEAR + bit] = near >> bit & 1


@bare_kernel
def find_tops(page: PageArrays, tops_E: Filled[Ints]) -> None:
    """Fill, for each element, the outermost of those that hold the same blocks as it does."""
    for e in range(len(tops_E)):
        parent = page.parents[e]
        is_same = page.starts[e] == page.starts[parent] and page.ends[e] == page.ends[parent]
        tops_E[e] = tops_E[parent] if is_same and parent < e else e


@inner_kernel
def _describe(
    page: PageArrays, e: int, sums_NS: Matrix[Sums], whole_S: Sums, box: Filled[Floats]
) -> None:
    """Fill what is the same for all blocks of a container."""
    first, last = int(page.starts[e]), int(page.ends[e])
    before, behind = sums_NS[first], sums_NS[last]
    size = max(last - first, 1)
    for i in range(_NUM_PER_BLOCK):
        box[i] = (behind[PER_BLOCK[i]] - before[PER_BLOCK[i]]) / size
    for s in range(NUM_OF_PAGE):
        box[_NUM_PER_BLOCK + s] = (behind[s] - before[s]) / max(whole_S[s], 1.0)
    words = behind[WORDS] - before[WORDS]
    box[_LINKED_FRACTION] = (behind[LINKED_WORDS] - before[LINKED_WORDS]) / max(words, 1.0)
    box[_LOG_BLOCKS], box[_LOG_WORDS] = np.log1p(float(size)), np.log1p(words)
    box[_CONTAINER_TAG] = page.tag_ids[e]
    box[_START_FRACTION] = first / whole_S[BLOCKS]


@bare_kernel
def write_containers(
    page: PageArrays, tops_E: Ints, sums_NS: Matrix[Sums], boxes_EC: Matrix[Filled[Floats]],
    is_filled_E: Filled[NDArray[np.bool_]], rows_NF: Matrix[Filled[Floats]],
) -> None:  # fmt: skip
    """Fill the distinct containers of each block, the innermost first; `is_filled_E` is all false before."""
    whole = sums_NS[len(rows_NF)]
    for n in range(len(rows_NF)):
        row, at, e = rows_NF[n], CONTAINERS, int(tops_E[page.elements[n]])
        for _ in range(NUM_LEVELS):
            box = boxes_EC[e]
            if not is_filled_E[e]:
                is_filled_E[e] = True
                _describe(page, e, sums_NS, whole, box)
            for i in range(NUM_CONTAINER):
                row[at + i] = box[i]
            first = page.starts[e]
            row[at + _INDEX_FRACTION] = (n - first) / max(page.ends[e] - first, 1)
            at += NUM_CONTAINER
            e = int(tops_E[page.parents[e]])


@bare_kernel
def write_likes(
    page: PageArrays, words_N: Floats, sums_PS: Matrix[Filled[Sums]], group: int,
    rows_NF: Matrix[Filled[Floats]],
) -> None:  # fmt: skip
    """Fill what `SiblingRow` names: by the paths of the blocks' elements (group 0), or of those' parents (1).

    `sums_PS` are zeros before.
    """
    at, all_words = SIBLINGS + NUM_SIBLING * group, np.float32(0)
    for n in range(len(rows_NF)):
        row, e, words = rows_NF[n], page.elements[n], words_N[n]
        sums = sums_PS[page.paths[page.parents[e] if group else e]]
        sums[_NUM] += 1
        sums[_ALL_WORDS] += words
        sums[_ALL_LINKED] += words * row[_LINKED]
        sums[_ALL_STOPS] += row[_ENDS_WITH_STOP]
        all_words += words
    for n in range(len(rows_NF)):
        row, e = rows_NF[n], page.elements[n]
        sums = sums_PS[page.paths[page.parents[e] if group else e]]
        row[at + _LIKE_LOG_BLOCKS] = np.log1p(sums[_NUM])
        row[at + _LIKE_WORDS] = sums[_ALL_WORDS] / sums[_NUM]
        row[at + _LIKE_LINKED] = sums[_ALL_LINKED] / sums[_ALL_WORDS]
        row[at + _LIKE_STOPS] = sums[_ALL_STOPS] / sums[_NUM]
        row[at + _LIKE_SHARE] = sums[_ALL_WORDS] / all_words
