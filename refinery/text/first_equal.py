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


def empty_slots(most: int) -> Indices:
    """[S] a table for groups of at most so many keys: a power of two, and at least half of it is free."""
    return np.full(table_size(most), -1, np.int64)


@kernel
def table_size(most: int) -> int:
    """Slots for so many keys; the first ones of a larger table serve, too."""
    size = 2
    while size < 2 * most:
        size *= 2
    return size


@kernel
def first_equal(
    slots_S: Filled[Indices], keys_N: Hashes, index: int, base: int, salt: np.uint64
) -> int:
    """The index of the first key of the group that equals the key at `index`; its own where it is new.

    Args:
        slots_S: The table.
        keys_N: The group's keys; those before `index` were looked up in order.
        index: The key to look up.
        base: Keys of all groups before this one: what they left in the table is below it.
        salt: SALT.
    """
    last_slot = np.uint64(len(slots_S) - 1)
    key = keys_N[index]
    slot = (key * salt) >> np.uint64(32) & last_slot
    while True:
        owner: int = slots_S[slot] - base
        if owner < 0:
            slots_S[slot] = base + index
            return index
        if keys_N[owner] == key:
            return owner
        slot = (slot + np.uint64(1)) & last_slot
