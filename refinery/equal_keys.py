"""Find equal 64-bit keys by tables of slots: several times as fast as sorting them.

Legend: N keys.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Numbers = NDArray[np.int64]

# Odd multipliers move other bits of a key to its top, so what shares one slot parts in the next
# table (Knuth, The Art of Computer Programming 3, section 6.4: multiplicative hashing).
_MULTIPLIER = 0x9E3779B97F4A7C15
_SLOTS_PER_KEY_BITS = 2
_MOST_BITS = 26


def first_equals(keys: Keys) -> Numbers:
    """[N] for each key the place of the first key that equals it.

    Every key writes its place into its slot, the first one last; a key that finds an equal one
    there is done, the others (one in ten, where no keys are equal) go on to the next table. All keys
    that are equal meet in one slot, so each round settles whole groups, and at least one.
    """
    firsts = np.arange(len(keys))
    open_places, factor = firsts, 1
    while len(open_places):
        bits = min(_MOST_BITS, len(open_places).bit_length() + _SLOTS_PER_KEY_BITS)
        these = keys[open_places] if factor > 1 else keys
        slots = ((these * np.uint64(factor)) >> np.uint64(64 - bits)).astype(np.int32)
        owners = np.empty(1 << bits, np.int32)  # only slots that were written to are read
        owners[slots[::-1]] = np.arange(len(slots) - 1, -1, -1, dtype=np.int32)
        owner = owners.take(slots)
        equal = these.take(owner) == these
        if factor == 1 and equal.all():
            return owner.astype(np.int64)
        firsts[open_places[equal]] = open_places[owner[equal]]
        open_places = open_places[~equal]
        factor = factor * _MULTIPLIER % (1 << 64)
    return firsts


def repeated(keys: Keys) -> NDArray[np.bool_]:
    """[N] whether another key equals this one."""
    firsts = first_equals(keys)
    return np.asarray(np.bincount(firsts, minlength=len(keys))[firsts] > 1)
