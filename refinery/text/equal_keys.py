"""Find equal 64-bit keys by hash tables: several times as fast as sorting them.

Legend: N keys.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
Indices = NDArray[np.int64]

# An odd multiplier moves other bits of a key to its top: keys that share a slot of one table part in
# the next one (Knuth, The Art of Computer Programming 3, section 6.4: multiplicative hashing).
_MULTIPLIER = 0x9E3779B97F4A7C15
_SLOTS_PER_KEY_BITS = 2
_MOST_BITS = 26


def first_equals(keys: Keys) -> Indices:
    """[N] for each key the index of the first key that equals it.

    Every key writes its index into its slot, the first key last, so that it stays. A key that finds
    an equal one there is done; the others (one in ten, where no keys are equal) go on to the next
    table. Equal keys share a slot in every table, so a round settles whole groups, and at least one.
    """
    firsts = _owners(keys)
    unsettled = np.flatnonzero(keys.take(firsts) != keys)
    factor = 1
    while len(unsettled):
        factor = factor * _MULTIPLIER % (1 << 64)
        these = keys.take(unsettled)
        owners = _owners(these * np.uint64(factor))
        firsts[unsettled] = unsettled.take(owners)
        unsettled = unsettled[these.take(owners) != these]
    return firsts


def _owners(keys: Keys) -> Indices:
    """[N] for each key the index of the first key that has the same slot, which its top bits name."""
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
