"""Counts of writing systems against plain Python."""

import random
from collections import Counter

import numpy as np
import pytest

from refinery.language.scripts import count_systems

TABLE = np.array([0, 1, 2, 1, 0], np.uint8)


@pytest.mark.parametrize("seed", range(5))
def test_each_document_has_its_own_counts(seed: int) -> None:
    source = random.Random(seed)
    documents = [
        [source.randrange(len(TABLE)) for _ in range(source.choice([0, 0, 1, 7]))] for _ in range(9)
    ]
    codes = np.array([code for document in documents for code in document], np.uint32)
    bounds = np.cumsum([0, *map(len, documents)], dtype=np.int64)

    counts = count_systems(codes, bounds, TABLE, 3)

    for row, document in zip(counts.tolist(), documents, strict=True):
        found = Counter(int(TABLE[code]) for code in document)
        assert row == [found[system] for system in range(3)]


def test_what_the_table_does_not_know_is_not_counted() -> None:
    codes = np.array([1, 5, 0xFFFFFFFF], np.uint32)

    assert count_systems(codes, np.array([0, 3]), TABLE, 3).tolist() == [[0, 1, 0]]
    assert count_systems(codes, np.array([0]), TABLE, 3).tolist() == []
