"""Walks through a trie against a dictionary of prefixes."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from refinery.tokenizers.trie import Trie, child_of, node_of, trie_of


def _id_of(trie: Trie, data: bytes) -> int | None:
    """The id of an entry, -1 for bytes that only begin entries, None for others."""
    node = int(node_of(trie, np.frombuffer(data, np.uint8), 0, len(data)))
    return int(trie.ids_N[node]) if node >= 0 else None


def _plain_id_of(entries: dict[bytes, int], data: bytes) -> int | None:
    if data in entries:
        return entries[data]
    return -1 if not data or any(entry.startswith(data) for entry in entries) else None


@pytest.mark.parametrize("seed", range(3))
def test_entries_and_their_beginnings_are_found_and_no_others(seed: int) -> None:
    source = random.Random(seed)
    # The lowest and the highest byte: neither of them is mistaken for a free slot.
    alphabet = b"\x00a\xff"
    entries = {bytes(source.choices(alphabet, k=source.randrange(1, 6))): n for n in range(30)}

    trie = trie_of(entries.items())

    for size in range(6):
        for letters in itertools.product(alphabet, repeat=size):
            assert _id_of(trie, bytes(letters)) == _plain_id_of(entries, bytes(letters))


def test_only_the_bytes_of_the_range_are_read() -> None:
    trie = trie_of([(b"bc", 4)])

    assert int(trie.ids_N[int(node_of(trie, np.frombuffer(b"abcd", np.uint8), 1, 3))]) == 4


def test_of_equal_entries_the_last_counts_and_empty_ones_are_left_out() -> None:
    trie = trie_of([(b"a", 1), (b"", 2), (b"a", 3)])

    assert _id_of(trie, b"a") == 3
    assert _id_of(trie, b"") == -1


def test_a_trie_of_nothing_has_no_edges() -> None:
    trie = trie_of([])

    assert trie.ids_N.tolist() == [-1]
    assert {int(child_of(trie, 0, byte)) for byte in range(256)} == {-1}
