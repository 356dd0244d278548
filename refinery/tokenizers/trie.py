"""A vocabulary by its bytes, walked one byte at a time.

Legend: S slots of the edges, N nodes (0 is the root), V entries of the vocabulary, B bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from refinery.compiled import Filled, inner_kernel, kernel
from refinery.text.utf8 import Bytes, Offsets
from refinery.tokenizers.piece_table import Ids, Keys

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
_EIGHT, _HALF = np.uint64(8), np.uint64(32)


class Trie(NamedTuple):
    """Edges by node and byte in a table of slots, and the id of the entry that ends at a node, or -1."""

    edges_S: Filled[Keys]
    children_S: Filled[Ids]
    ids_N: Filled[Ids]


def trie_of(entries: Iterable[tuple[bytes, int]]) -> Trie:
    """The trie of entries and their ids; of equal entries the last one counts. Empty ones are left out."""
    listed = [(data, number) for data, number in entries if data]
    data_B = np.frombuffer(b"".join(data for data, _ in listed), np.uint8)
    bounds_V = np.cumsum([0, *(len(data) for data, _ in listed)]).astype(np.int64)
    ids_V = np.array([number for _, number in listed], np.int32)
    slots = 2
    while slots < 2 * (len(data_B) + 1):
        slots *= 2
    edges_S, children_S, ids_N = build_trie(data_B, bounds_V, ids_V, slots)
    return Trie(edges_S, children_S, ids_N)


@kernel
def build_trie(data_B: Bytes, bounds_V: Offsets, ids_V: Ids, slots: int) -> tuple[Keys, Ids, Ids]:
    """Edges, children and ids; `slots` is a power of two above the number of bytes."""
    edges_S = np.full(slots, _FREE, np.uint64)
    children_S = np.zeros(slots, np.int32)
    ids_N = np.full(len(data_B) + 1, -1, np.int32)
    nodes = 1
    for entry in range(len(ids_V)):
        node = 0
        for offset in range(bounds_V[entry], bounds_V[entry + 1]):
            key = np.uint64(node) << _EIGHT | np.uint64(data_B[offset])
            slot = np.int64((key * _FACTOR) >> _HALF) & (slots - 1)
            while edges_S[slot] != _FREE and edges_S[slot] != key:
                slot = (slot + 1) & (slots - 1)
            if edges_S[slot] == _FREE:
                edges_S[slot] = key
                children_S[slot] = nodes
                nodes += 1
            node = int(children_S[slot])
        ids_N[node] = ids_V[entry]
    return edges_S, children_S, ids_N[:nodes].copy()


@inner_kernel
def child_of(trie: Trie, node: int, byte: int) -> int:
    """The node behind an edge, or -1."""
    key = np.uint64(node) << _EIGHT | np.uint64(byte)
    last_slot = len(trie.edges_S) - 1
    slot = np.int64((key * _FACTOR) >> _HALF) & last_slot
    while trie.edges_S[slot] != _FREE:
        if trie.edges_S[slot] == key:
            return int(trie.children_S[slot])
        slot = (slot + 1) & last_slot
    return -1


@inner_kernel
def node_of(trie: Trie, own_B: Bytes, start: int, end: int) -> int:
    """The node of the bytes [start, end), or -1."""
    node = 0
    for offset in range(start, end):
        node = child_of(trie, node, int(own_B[offset]))
        if node < 0:
            return -1
    return node
