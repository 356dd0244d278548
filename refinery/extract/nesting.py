"""The elements of a page as arrays: which holds which, and the paths that lead to them.

Shapes: T tags, E elements in the order of their opening tags.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


class Nesting:
    """Parents and depths [E] of elements, from the indices of their opening and closing tags.

    The first element holds all others; it is its own parent, of depth 0.
    """

    def __init__(self, openings: Ints, closings: Ints, num_tags: int) -> None:
        change = np.bincount(openings, minlength=num_tags)
        change -= np.bincount(closings, minlength=num_tags)
        self._depth_behind = np.cumsum(change) - 1
        self._num_tags = num_tags
        self.depths: Ints = self._depth_behind[openings]
        # Of one depth only one element is open at a time: the one that opened last. Sorted by depth
        # and opening tag, it is found by bisection; `_keys` are both in one number.
        self._order = np.argsort(self.depths, kind="stable")
        self._keys = self.depths[self._order] * num_tags + openings[self._order]
        above = self._last_of(self.depths - 1, openings)
        # Whatever the markup, a parent comes before its child: so every walk up ends at the root.
        self.parents = np.clip(above, 0, np.maximum(np.arange(len(openings)) - 1, 0))

    def holders(self, tags: Ints) -> Ints:
        """The innermost element that is open behind each of these tags."""
        return self._last_of(self._depth_behind[tags], tags)

    def _last_of(self, depths: Ints, tags: Ints) -> Ints:
        """The last element of each depth that opened at or before each tag."""
        index = np.searchsorted(self._keys, depths * self._num_tags + tags, "right") - 1
        return self._order[index]


def number_paths(parents: Ints, tags: Ints, names: Ints) -> Ints:
    """Number the paths [E] of tags and names from the root, which is left out, down to each element.

    Equal paths have equal numbers. A path is hashed as a polynomial of its elements' hashes, by
    pointer jumping: at each step an element's hash covers all between it and the ancestor that it
    points to, and the next step doubles that distance. The root's hash is 0, so it may be added
    any number of times.
    """
    hashes = tags.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    hashes += (names + 1).astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    # Tags and names are small numbers. Sums of their products alone would be equal for different
    # pairs; the shift and a second product (as in splitmix64) part them.
    hashes ^= hashes >> np.uint64(29)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    hashes[:1] = 0
    factor = 0x94D049BB133111EB
    while parents.any():
        hashes = hashes + np.uint64(factor) * hashes[parents]
        factor = factor * factor % 2**64
        parents = parents[parents]
    numbers: Ints = np.unique(hashes, return_inverse=True)[1]
    return numbers
