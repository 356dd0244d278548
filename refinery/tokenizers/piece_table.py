"""A table of pieces and their token ids that compiled loops fill while they encode.

Words repeat: nearly all pieces of a text stand in the table, and only new ones are merged. It is emptied
when it is full, so its memory is bounded whatever the texts are. Pieces are compared byte by byte: a hash
that a page's author has aimed for costs time, and never changes an id.

Legend: S slots, R numbers of the records, P bytes or ids of the pools, B bytes of a document, T tokens.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, inner_kernel
from refinery.text.utf8 import Bytes, Offsets

Ids = NDArray[np.int32]
Keys = NDArray[np.uint64]

LONGEST_KEPT = 48  # bytes; longer pieces rarely repeat
MOST_PIECES = 1 << 17
# Records of a piece: first byte and one past the last, first id and one past the last.
_FIELDS = 4
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_PROBES = 64  # at a filling of one half, longer chains are made on purpose


class PieceTable(NamedTuple):
    """The arrays of a table; `counts` holds how many pieces, bytes and ids are in it."""

    keys_S: Filled[Keys]
    entries_S: Filled[Ids]
    records_R: Filled[Ids]
    bytes_P: Filled[Bytes]
    ids_P: Filled[Ids]
    counts: Filled[Offsets]


def empty_table(pieces: int = MOST_PIECES) -> PieceTable:
    """A table for at most so many pieces, about 9 MB for `MOST_PIECES`; `pieces` is a power of two."""
    if pieces < 1 or pieces & (pieces - 1):
        raise ValueError(f"need a power of two, got {pieces}")
    return PieceTable(
        np.zeros(2 * pieces, np.uint64),
        np.full(2 * pieces, -1, np.int32),
        np.zeros(_FIELDS * pieces, np.int32),
        np.zeros(16 * pieces + LONGEST_KEPT, np.uint8),
        np.zeros(8 * pieces + LONGEST_KEPT, np.int32),
        np.zeros(3, np.int64),
    )


def no_table() -> PieceTable:
    """A table without room for a piece."""
    ids, keys = np.zeros(0, np.int32), np.zeros(0, np.uint64)
    return PieceTable(keys, ids, ids, np.zeros(0, np.uint8), ids, np.zeros(3, np.int64))


@inner_kernel
def hash_piece(own_B: Bytes, start: int, end: int) -> np.uint64:
    """A hash of the bytes [start, end)."""
    value = np.uint64(end - start)
    for offset in range(start, end):
        value = (value ^ np.uint64(own_B[offset])) * _FACTOR
    return value ^ (value >> _HALF)


@inner_kernel
def copy_known(
    own_B: Bytes, start: int, end: int, key: np.uint64, table: PieceTable, out_T: Filled[Ids], count: int
) -> int:  # fmt: skip
    """Write the ids of the piece [start, end) behind `count` others; returns how many, -1 for a new piece.

    The caller has room for as many ids as the piece has bytes: no piece was kept with more.
    """
    last_slot = len(table.keys_S) - 1
    slot = int(np.int64(key & np.uint64(last_slot)))
    for _ in range(_PROBES):
        entry = np.int64(table.entries_S[slot])
        if entry < 0:
            return -1
        if table.keys_S[slot] == key:
            record = entry * _FIELDS
            first = np.int64(table.records_R[record])
            size = end - start
            if table.records_R[record + 1] - first == size:
                index = 0
                while index < size and table.bytes_P[first + index] == own_B[start + index]:
                    index += 1
                if index == size:
                    first_id = np.int64(table.records_R[record + 2])
                    num_ids = np.int64(table.records_R[record + 3]) - first_id
                    for index in range(num_ids):
                        out_T[count + index] = table.ids_P[first_id + index]
                    return int(num_ids)
        slot = (slot + 1) & last_slot
    return -1


@inner_kernel
def keep(
    own_B: Bytes, start: int, end: int, key: np.uint64, table: PieceTable, new_ids: Filled[Ids]
) -> None:
    """Keep the ids of a piece that `copy_known` did not know."""
    size, num_ids = end - start, len(new_ids)
    if size > LONGEST_KEPT or num_ids > size:
        return
    pieces, num_bytes, all_ids = table.counts[0], table.counts[1], table.counts[2]
    is_full = pieces == len(table.records_R) // _FIELDS or num_bytes + size > len(table.bytes_P)
    if is_full or all_ids + num_ids > len(table.ids_P):
        for slot in range(len(table.entries_S)):
            table.entries_S[slot] = -1
        pieces = num_bytes = all_ids = 0
    last_slot = len(table.keys_S) - 1
    slot = int(np.int64(key & np.uint64(last_slot)))
    for _ in range(_PROBES):
        if table.entries_S[slot] < 0:
            break
        slot = (slot + 1) & last_slot
    if table.entries_S[slot] >= 0:
        return
    table.keys_S[slot] = key
    table.entries_S[slot] = pieces
    record = pieces * _FIELDS
    table.records_R[record] = num_bytes
    table.records_R[record + 1] = num_bytes + size
    table.records_R[record + 2] = all_ids
    table.records_R[record + 3] = all_ids + num_ids
    for index in range(size):
        table.bytes_P[num_bytes + index] = own_B[start + index]
    for index in range(num_ids):
        table.ids_P[all_ids + index] = new_ids[index]
    table.counts[0] = pieces + 1
    table.counts[1] = num_bytes + size
    table.counts[2] = all_ids + num_ids
