"""Which element gives a block its form, and which items of lists and quotes hold it.

Shapes: E elements, N blocks, M tags.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, bare_kernel
from refinery.extract.blocks import Blocks
from refinery.extract.tag_kinds import TAG_IDS, TAGS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Items and quotes inside each other; deeper ones are set in no further.
MOST_DEPTH = 20
# An item with more is a post or a part of the page: no mark stands before it.
MOST_ITEM_CHARS, MOST_ITEM_BLOCKS = 800, 3

_ITEM = TAG_IDS["li"]


def _is_one_of(*names: str) -> Bools:
    return np.array([name in names for name in TAGS])


_HAS_FORM = _is_one_of("li", "td", "th", "pre", "dt", "dd", *(f"h{level}" for level in range(1, 7)))
_HOLDS, _HOLDS_WITH_QUOTES = _is_one_of("li"), _is_one_of("li", "blockquote")


class Forms(NamedTuple):
    """Elements by element [E]; -1 stands for none.

    Attributes:
        forms: The nearest one, from each up, whose tag gives a form to text.
        holders: The nearest item of a list that is read as one, or in markdown quote, from each up.
        outer: Of such an item or quote, the next one around it.
    """

    forms: Ints
    holders: Ints
    outer: Ints


class _FilledForms(NamedTuple):
    """`Forms` while they are filled, and how many items and quotes hold each element."""

    forms: Filled[Ints]
    holders: Filled[Ints]
    outer: Filled[Ints]
    depths: Filled[Ints]


@bare_kernel
def find_lists(
    tag_ids_E: Ints, parents_E: Ints, starts_E: Ints, ends_E: Ints, chars_before_N: Ints,
    is_list_E: Filled[Bools],
) -> None:  # fmt: skip
    """Tell whether the items in each element are those of a list; lists lay out threads of posts, too."""
    is_list_E[:] = True
    for e in range(len(tag_ids_E)):
        first, end = starts_E[e], ends_E[e]
        is_long = chars_before_N[end] - chars_before_N[first] > MOST_ITEM_CHARS
        if tag_ids_E[e] == _ITEM and is_long and end - first > MOST_ITEM_BLOCKS:
            is_list_E[parents_E[e]] = False


@bare_kernel
def find_forms(
    tag_ids_E: Ints, parents_E: Ints, is_list_E: Bools, has_form_M: Bools, holds_M: Bools,
    found: _FilledForms,
) -> None:  # fmt: skip
    """Fill what `Forms` names; a parent comes before its child."""
    for e in range(len(tag_ids_E)):
        tag, parent = tag_ids_E[e], parents_E[e]
        found.outer[e] = -1
        if e == 0:
            found.forms[e] = found.holders[e] = -1
            found.depths[e] = 0
            continue
        is_read = tag != _ITEM or is_list_E[parent]
        found.forms[e] = e if has_form_M[tag] and is_read else found.forms[parent]
        found.holders[e], found.depths[e] = found.holders[parent], found.depths[parent]
        if holds_M[tag] and is_read and found.depths[e] < MOST_DEPTH:
            found.outer[e] = found.holders[e]
            found.holders[e] = e
            found.depths[e] += 1


def read_lists(blocks: Blocks) -> Bools:
    """Whether the items in each element [E] are those of a list that is read as such."""
    chars_before = np.zeros(len(blocks.texts) + 1, np.int64)
    np.cumsum(
        np.fromiter(map(len, blocks.texts), np.int64, len(blocks.texts)), out=chars_before[1:]
    )
    is_list = np.empty(len(blocks.tag_ids), np.bool_)
    find_lists(blocks.tag_ids, blocks.parents, blocks.starts, blocks.ends, chars_before, is_list)
    return is_list


def read_forms(blocks: Blocks, *, keeps_quotes: bool) -> Forms:
    """The forms of a page's elements; quotes hold blocks only where they are kept as such."""
    found = _FilledForms(*np.empty((4, len(blocks.tag_ids)), np.int64))
    holds = _HOLDS_WITH_QUOTES if keeps_quotes else _HOLDS
    find_forms(blocks.tag_ids, blocks.parents, read_lists(blocks), _HAS_FORM, holds, found)
    return Forms(found.forms, found.holders, found.outer)
