"""Merge the symbols of one piece as byte pair encoding does: the best pair first, the leftmost of equals.

Legend: M slots of the merges, N symbols of a piece, H slots of the queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from refinery.compiled import Filled, inner_kernel, kernel
from refinery.tokenizers.piece_table import Ids, Keys

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_HALF, _ONE = np.uint64(32), np.uint64(1)
_LOW = np.uint64(0xFFFFFFFF)
_FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
_NONE = np.uint64(0xFFFFFFFFFFFFFFFF)
# Up to so many symbols, looking at every pair again costs less than a queue.
_SHORT = 48


class Scratch(NamedTuple):
    """Arrays to merge in, each for the longest piece: symbols, pairs, neighbours, and a queue of 3 N."""

    symbols_N: Filled[Ids]
    pairs_N: Filled[Keys]
    before_N: Filled[Ids]
    after_N: Filled[Ids]
    queue_H: Filled[Keys]


def merge_table(merges: Sequence[tuple[int, int, int]]) -> Keys:
    """The table of merges (left, right, merged), best first: pairs of a key and of its rank and result."""
    size = 2
    while size < 2 * len(merges):
        size *= 2
    rows = np.array(merges, np.uint64).reshape(-1, 3)
    keys = rows[:, 0] << _HALF | rows[:, 1]
    values = np.arange(len(rows), dtype=np.uint64) << _HALF | rows[:, 2]
    return fill_merges(keys, values, size)


@kernel
def fill_merges(keys_N: Keys, values_N: Keys, slots: int) -> Keys:
    """[2 M] key and value of each slot; of equal keys the last one counts, as in the library."""
    table_M = np.full(2 * slots, _FREE, np.uint64)
    for index in range(len(keys_N)):
        slot = np.int64((keys_N[index] * _FACTOR) >> _HALF) & (slots - 1)
        while table_M[2 * slot] != _FREE and table_M[2 * slot] != keys_N[index]:
            slot = (slot + 1) & (slots - 1)
        table_M[2 * slot] = keys_N[index]
        table_M[2 * slot + 1] = values_N[index]
    return table_M


@inner_kernel
def merge_of(table_M: Keys, left: int, right: int) -> np.uint64:
    """Rank (high half) and result (low half) of the merge of a pair; the highest number for none."""
    key = np.uint64(left) << _HALF | np.uint64(right)
    last_slot = len(table_M) // 2 - 1
    slot = np.int64((key * _FACTOR) >> _HALF) & last_slot
    while table_M[2 * slot] != _FREE:
        if table_M[2 * slot] == key:
            return np.uint64(table_M[2 * slot + 1])
        slot = (slot + 1) & last_slot
    return _NONE


@inner_kernel
def merge_symbols(table_M: Keys, scratch: Scratch, symbols: int, out_T: Filled[Ids], count: int) -> int:  # fmt: skip
    """Merge the first symbols of the scratch, and write what is left behind `count` ids; returns how many."""
    if symbols > _SHORT:
        return _merge_long(table_M, scratch, symbols, out_T, count)
    symbols_N, pairs_N = scratch.symbols_N, scratch.pairs_N
    for index in range(symbols - 1):
        pairs_N[index] = merge_of(table_M, symbols_N[index], symbols_N[index + 1])
    for _ in range(symbols):
        best, best_at = _NONE, -1
        for index in range(symbols - 1):
            if pairs_N[index] < best:
                best, best_at = pairs_N[index], index
        if best_at < 0:
            break
        symbols_N[best_at] = np.int32(best & _LOW)
        symbols -= 1
        for index in range(best_at + 1, symbols):
            symbols_N[index] = symbols_N[index + 1]
            pairs_N[index - 1] = pairs_N[index]
        if best_at > 0:
            pairs_N[best_at - 1] = merge_of(table_M, symbols_N[best_at - 1], symbols_N[best_at])
        if best_at < symbols - 1:
            pairs_N[best_at] = merge_of(table_M, symbols_N[best_at], symbols_N[best_at + 1])
    for index in range(symbols):
        out_T[count + index] = symbols_N[index]
    return symbols


@inner_kernel
def _merge_long(table_M: Keys, scratch: Scratch, symbols: int, out_T: Filled[Ids], count: int) -> int:  # fmt: skip
    """The same by a queue of ranks and indices: its time grows with the symbols times their logarithm."""
    symbols_N, before_N, after_N = scratch.symbols_N, scratch.before_N, scratch.after_N
    waiting = 0
    for index in range(symbols):
        before_N[index] = index - 1
        after_N[index] = index + 1 if index + 1 < symbols else -1
        if index + 1 < symbols:
            waiting = _push_pair(table_M, scratch, index, index + 1, waiting)
    while waiting > 0:
        top = scratch.queue_H[0]
        waiting = _pop(scratch.queue_H, waiting)
        left = int(np.int64(top & _LOW))
        right = int(after_N[left])
        if symbols_N[left] < 0 or right < 0:
            continue
        merged = merge_of(table_M, symbols_N[left], symbols_N[right])
        # A pair that was queued before one of its sides was merged.
        if merged == _NONE or merged >> _HALF != top >> _HALF:
            continue
        symbols_N[left] = np.int32(merged & _LOW)
        symbols_N[right] = -1
        after = int(after_N[right])
        after_N[left] = after
        if after >= 0:
            before_N[after] = left
            waiting = _push_pair(table_M, scratch, left, after, waiting)
        if before_N[left] >= 0:
            waiting = _push_pair(table_M, scratch, int(before_N[left]), left, waiting)
    found = 0
    for index in range(symbols):
        if symbols_N[index] >= 0:
            out_T[count + found] = symbols_N[index]
            found += 1
    return found


@inner_kernel
def _push_pair(table_M: Keys, scratch: Scratch, left: int, right: int, waiting: int) -> int:
    """Queue the merge of two neighbours, where there is one; returns how many wait."""
    merged = merge_of(table_M, scratch.symbols_N[left], scratch.symbols_N[right])
    if merged == _NONE:
        return waiting
    queue_H = scratch.queue_H
    value = (merged >> _HALF) << _HALF | np.uint64(left)
    index = waiting
    while index > 0:
        above = (index - 1) // 2
        if queue_H[above] <= value:
            break
        queue_H[index] = queue_H[above]
        index = above
    queue_H[index] = value
    return waiting + 1


@inner_kernel
def _pop(queue_H: Filled[Keys], waiting: int) -> int:
    """Take the least value out of the queue; returns how many wait."""
    waiting -= 1
    value = queue_H[waiting]
    index = 0
    while 2 * index + 1 < waiting:
        below = 2 * index + 1
        if below + 1 < waiting and queue_H[below + 1] < queue_H[below]:
            below += 1
        if queue_H[below] >= value:
            break
        queue_H[index] = queue_H[below]
        index = below
    queue_H[index] = value
    return waiting
