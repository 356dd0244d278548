"""Kernels over all tags of a page: where tags of a name are, of what kind each is, what is inside of others.

Shapes: T tags, opening and closing ones, in order; C some of them; M numbers of names.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, bare_kernel
from refinery.extract.tag_kinds import Kind

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_BLOCK, _INLINE, _SKIP, _CLOSING = (
    int(kind) for kind in (Kind.BLOCK, Kind.INLINE, Kind.SKIP, Kind.CLOSING)
)


@bare_kernel
def sort_by_name(
    name_ids_T: Ints, is_opening_T: Bools, bounds_M: Filled[Ints], sorted_T: Filled[Ints]
) -> None:
    """Sort the opening tags by name, those of one name in their order; `bounds_M` tell where each name begins."""
    bounds_M[:] = 0
    for tag in range(len(name_ids_T)):
        if is_opening_T[tag]:
            bounds_M[name_ids_T[tag]] += 1
    for name in range(1, len(bounds_M)):
        bounds_M[name] += bounds_M[name - 1]
    # Until here a bound is the end of its name; sorting from the last tag on lets it fall to the begin.
    for reverse in range(len(name_ids_T)):
        tag = len(name_ids_T) - 1 - reverse
        if is_opening_T[tag]:
            bounds_M[name_ids_T[tag]] -= 1
            sorted_T[bounds_M[name_ids_T[tag]]] = tag


@bare_kernel
def cover(closings_T: Ints, chosen_C: Ints, is_covered_T: Filled[Bools]) -> None:
    """Tell behind which tags one of some elements is open; they are given by rising opening tags."""
    is_covered_T[:] = False
    reached = 0
    for tag in chosen_C:
        end = closings_T[tag]
        for inner in range(max(tag, reached), end):
            is_covered_T[inner] = True
        reached = max(reached, end)


@bare_kernel
def fill_kinds(
    name_ids_T: Ints, is_opening_T: Bools, kind_of_M: Ints, tag_id_of_M: Ints,
    kinds_T: Filled[Ints], tag_ids_T: Filled[Ints],
) -> None:  # fmt: skip
    """Look the kind and the tag of each name up; the first tag, the body, is a block whatever it is called."""
    for tag in range(len(kinds_T)):
        name = name_ids_T[tag]
        kinds_T[tag] = kind_of_M[name] if is_opening_T[tag] else _CLOSING
        tag_ids_T[tag] = tag_id_of_M[name]
    if len(kinds_T) > 0:
        kinds_T[0] = _BLOCK


@bare_kernel
def lay_out_unknown(
    name_ids_T: Ints, closings_T: Ints, is_unknown_M: Bools,
    num_blocks_T: Filled[Ints], kinds_T: Filled[Ints],
) -> None:  # fmt: skip
    """Make elements that browsers do not know blocks where they hold one; `num_blocks_T` counts those up to each tag.

    Such an element is laid out by the page's own style, as the parts of most web components are.
    """
    num = 0
    for tag in range(len(kinds_T)):
        num += kinds_T[tag] == _BLOCK
        num_blocks_T[tag] = num
    for tag in range(len(kinds_T)):
        is_unknown = kinds_T[tag] == _INLINE and is_unknown_M[name_ids_T[tag]]
        if is_unknown and num_blocks_T[closings_T[tag]] > num_blocks_T[tag]:
            kinds_T[tag] = _BLOCK


@bare_kernel
def skip_inside(closings_T: Ints, kinds_T: Filled[Ints], is_skipped_T: Filled[Bools]) -> None:
    """Give all tags inside of what is no text that kind, too, and tell behind which tags it stands."""
    reached = 0
    for tag in range(len(kinds_T)):
        if kinds_T[tag] == _SKIP:
            reached = max(reached, closings_T[tag])
        is_skipped_T[tag] = tag < reached
        if tag < reached:
            kinds_T[tag] = _SKIP
