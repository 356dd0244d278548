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
    firsts = _owners(keys)
    open_places = np.flatnonzero(keys.take(firsts) != keys)
    factor = 1
    while len(open_places):
        factor = factor * _MULTIPLIER % (1 << 64)
        these = keys.take(open_places)
        owners = _owners(these * np.uint64(factor))
        firsts[open_places] = open_places.take(owners)
        open_places = open_places[these.take(owners) != these]
    return firsts


def _owners(keys: Keys) -> Numbers:
    """[N] the first key of those whose top bits are a key's."""
    count = len(keys)
    bits = min(_MOST_BITS, count.bit_length() + _SLOTS_PER_KEY_BITS)
    slots = (keys >> np.uint64(64 - bits)).astype(np.int64)
    owners = np.empty(1 << bits, np.int32)  # only slots that were written to are read
    owners[slots[::-1]] = np.arange(count - 1, -1, -1, dtype=np.int32)
    return owners.take(slots).astype(np.int64)


def repeated(keys: Keys) -> NDArray[np.bool_]:
    """[N] whether another key equals this one."""
    firsts = first_equals(keys)
    return np.asarray(np.bincount(firsts, minlength=len(keys))[firsts] > 1)
