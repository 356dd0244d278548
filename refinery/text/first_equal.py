"""Find equal keys of 64 bits within a group: one table, which is never emptied.

Legend: N keys of a group, S slots.
"""

from __future__ import annotations

import secrets

import numpy as np

from refinery.compiled import Filled, kernel
from refinery.text.batch import Hashes, Indices

# Which slot a key has is drawn for each process: nobody can write a page whose keys all share one.
# No result depends on it.
SALT = np.uint64(secrets.randbits(64) | 1)


@kernel
def table_size(most: int) -> int:
    """Slots for so many keys; the first ones of a larger table serve, too."""
    size = 2
    while size < 2 * most:
        size *= 2
    return size


@kernel
def empty_slots(most: int) -> Indices:
    """[S] a table for groups of at most so many keys: a power of two, and at least half of it is free."""
    slots_S = np.empty(table_size(most), np.int64)
    slots_S[:] = -1
    return slots_S


@kernel
def first_equals(
    slots_S: Filled[Indices], keys_N: Hashes, base: int, salt: np.uint64, firsts_N: Filled[Indices]
) -> None:
    """Fill in for each key of a group the index of the first one that equals it.

    Args:
        slots_S: A table of `empty_slots`, or the first `table_size` slots of a larger one.
        keys_N: The keys.
        base: Keys of all groups before this one: what they left in the table is below it.
        salt: SALT.
        firsts_N: Where the indices go.
    """
    last_slot = np.uint64(len(slots_S) - 1)
    for index in range(len(keys_N)):
        key = keys_N[index]
        slot = (key * salt) >> np.uint64(32) & last_slot
        first = index
        while True:
            owner = slots_S[slot] - base
            if owner < 0:
                slots_S[slot] = base + index
                break
            if keys_N[owner] == key:
                first = owner
                break
            slot = (slot + np.uint64(1)) & last_slot
        firsts_N[index] = first
