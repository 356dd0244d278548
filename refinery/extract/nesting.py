"""The elements of a page as arrays: which holds which and which blocks, and the paths that lead to them.

Shapes: T tags, E elements in the order of their opening tags, N blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, bare_kernel

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

_TAG_FACTOR, _NAME_FACTOR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_MIX, _PATH_FACTOR = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


class Nesting(NamedTuple):
    """What holds what.

    Attributes:
        parents, depths: [E] the first element holds all others; it is its own parent, of depth 0.
        starts, ends: [E] first block inside each element, and one past the last.
        holders: [N] the innermost element around each block.
    """

    parents: Ints
    depths: Ints
    starts: Ints
    ends: Ints
    holders: Ints


class _Work(NamedTuple):
    """What the kernel keeps beside the results.

    Attributes:
        changes: [T] what each tag adds to the depth; zeros before.
        blocks_before: [T] blocks that begin before each tag.
        innermost: [E] the last element of each depth.
    """

    changes: Filled[Ints]
    blocks_before: Filled[Ints]
    innermost: Filled[Ints]


class _Filled(NamedTuple):
    """`Nesting` while it is filled."""

    parents: Filled[Ints]
    depths: Filled[Ints]
    starts: Filled[Ints]
    ends: Filled[Ints]
    holders: Filled[Ints]


@bare_kernel
def fill_nesting(
    openings_E: Ints, closings_E: Ints, first_nodes_N: Ints, work: _Work, found: _Filled
) -> None:
    """Walk along the tags of a page. Whatever the markup, a parent comes before its child."""
    num, num_blocks = len(openings_E), len(first_nodes_N)
    for e in range(num):
        work.changes[openings_E[e]] += 1
        work.changes[closings_E[e]] -= 1
    depth, e, block = -1, 0, 0
    for tag in range(len(work.changes)):
        while block < num_blocks and first_nodes_N[block] < 2 * tag:
            block += 1
        work.blocks_before[tag] = block
        depth += work.changes[tag]
        level = max(min(depth, num - 1), 0)
        if e < num and openings_E[e] == tag:
            above = work.innermost[level - 1] if level > 0 else 0
            found.parents[e], found.depths[e] = min(above, max(e - 1, 0)), depth
            found.starts[e] = block
            work.innermost[level] = e
            e += 1
        inside = block
        while inside < num_blocks and first_nodes_N[inside] < 2 * tag + 2:
            found.holders[inside] = work.innermost[level]
            inside += 1
    for e in range(num):
        found.ends[e] = work.blocks_before[closings_E[e]]


def nest(openings: Ints, closings: Ints, first_nodes: Ints, num_tags: int) -> Nesting:
    """Nest elements, given by their opening and closing tags; blocks begin at nodes 2t and 2t + 1 of tag t."""
    num = len(openings)
    parents, depths, starts, ends = np.empty((4, num), np.int64)
    found = _Filled(parents, depths, starts, ends, np.zeros(len(first_nodes), np.int64))
    work = _Work(
        np.zeros(num_tags, np.int64),
        np.empty(num_tags, np.int64),
        np.zeros(max(num, 1), np.int64),
    )
    fill_nesting(openings, closings, first_nodes, work, found)
    return Nesting(*found)


@bare_kernel
def fill_paths(
    parents_E: Ints, tags_E: Ints, names_E: Ints, hashes_E: Filled[Hashes], numbers_E: Filled[Ints],
    slots: Filled[Ints],
) -> None:  # fmt: skip
    """Number the paths from the root to each element; `slots`, a power of two of them, are -1 before."""
    mask = np.uint64(len(slots) - 1)
    for e in range(len(parents_E)):
        hashed = np.uint64(0)
        if e > 0:
            hashed = np.uint64(tags_E[e]) * _TAG_FACTOR + np.uint64(names_E[e] + 1) * _NAME_FACTOR
            # Tags and names are small numbers. Sums of their products alone would be equal for
            # different pairs; the shift and a second product (as in splitmix64) part them.
            hashed = (hashed ^ hashed >> np.uint64(29)) * _MIX
            hashed += hashes_E[parents_E[e]] * _PATH_FACTOR
        hashes_E[e] = hashed
        slot = np.int64((hashed ^ hashed >> np.uint64(32)) & mask)
        while slots[slot] >= 0 and hashes_E[slots[slot]] != hashed:
            slot = (slot + 1) & np.int64(mask)
        if slots[slot] < 0:
            slots[slot] = e
        numbers_E[e] = slots[slot]


def number_paths(parents: Ints, tags: Ints, names: Ints) -> Ints:
    """Number the paths [E] of tags and names from the root, which is left out, down to each element.

    Equal paths have equal numbers: that of the first element under the path. A path is hashed as a
    polynomial of its elements' hashes.
    """
    num = len(parents)
    numbers = np.empty(num, np.int64)
    slots = np.full(1 << (2 * num + 1).bit_length(), -1, np.int64)
    fill_paths(parents, tags, names, np.empty(num, np.uint64), numbers, slots)
    return numbers
