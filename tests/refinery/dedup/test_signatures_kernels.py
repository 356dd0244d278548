"""Shingles, signatures and bands against Python's integers and against datasketch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from datasketch import MinHash

from refinery.dedup.signatures import (
    EMPTY_SLOT,
    ShingleSets,
    hash_bands,
    permutations,
    shingle_hashes,
    sign_sets,
)
from refinery.text.hashing import mix
from tests.support.hashes import GOLDEN, WRAP, plain_mix


def plain_shingles(tokens: list[int], length: int) -> list[int]:
    if not tokens:
        return []
    runs = [tokens[i : i + length] for i in range(max(1, len(tokens) - length + 1))]
    hashes = []
    for run in runs:
        value = 0
        for token in run:
            value = (value * GOLDEN + token) % WRAP
        hashes.append(plain_mix(value) >> 32)
    return hashes


def sets_of(*members: list[int]) -> ShingleSets:
    bounds = np.cumsum([0, *map(len, members)])
    flat = np.array(list(itertools.chain(*members)), np.uint32)
    return ShingleSets.distinct(flat, bounds)


@pytest.mark.parametrize("value", [0, 1, 2**31, 2**64 - 1, 0x0123456789ABCDEF])
def test_mix_is_splitmix64(value: int) -> None:
    assert int(mix(np.uint64(value))) == plain_mix(value)


@pytest.mark.parametrize("length", [1, 2, 5, 50])
def test_shingles_are_hashes_of_runs_within_one_text(length: int) -> None:
    generator = np.random.default_rng(length)
    sizes = [0, 1, 4, 5, 6, 0, 30, 0]
    tokens = generator.integers(0, 2**64, sum(sizes), dtype=np.uint64)
    bounds = np.cumsum([0, *sizes])

    halves, firsts = shingle_hashes(tokens, bounds, length)

    expected = [
        plain_shingles(tokens[first:last].tolist(), length)
        for first, last in itertools.pairwise(bounds.tolist())
    ]
    assert [halves[a:b].tolist() for a, b in itertools.pairwise(firsts.tolist())] == expected


def test_sets_are_sorted_distinct_and_unsigned_by_document() -> None:
    sets = sets_of([2**31, 1, 1, 2**32 - 1, 1], [], [5, 5], [])

    assert [one.tolist() for one in sets] == [[1, 2**31, 2**32 - 1], [], [5], []]
    assert len(sets) == 4
    assert sets.bounds.tolist() == [0, 3, 3, 4, 4]


@pytest.mark.parametrize(("num", "seed"), [(112, 1), (7, 12345), (1, 2**32 - 1)])
def test_signatures_are_those_of_datasketch_to_the_bit(num: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    members = [generator.integers(0, 2**32, size).tolist() for size in (40, 1, 0, 9)]
    members[0][:4] = [0, 1, 2**31, 2**32 - 1]

    slots = sign_sets(sets_of(*members), num, seed)

    for own, shingles in zip(slots, members, strict=True):
        theirs = MinHash(num, seed=seed, scheme="affine32", hashfunc=int)
        theirs.update_batch(shingles)
        assert own.tolist() == theirs.hashvalues.tolist()
    assert (slots[2] == EMPTY_SLOT).all()
    assert (np.stack(permutations(num, seed)) == theirs.permutations).all()


def test_bands_are_hashes_of_consecutive_slots_and_of_their_rank() -> None:
    slots = np.random.default_rng(2).integers(0, 2**32, (3, 12), dtype=np.uint32)
    slots[1, :4] = slots[1, 4:8]

    bands = hash_bands(slots, 3)

    expected = []
    for row in slots.tolist():
        for band in range(3):
            value = band
            for slot in row[band * 4 : band * 4 + 4]:
                value = plain_mix((value * GOLDEN + slot) % WRAP)
            expected.append(value)
    assert bands.view(np.uint64).reshape(-1).tolist() == expected
    assert bands[1, 0] != bands[1, 1]
    assert hash_bands(slots[:0], 3).shape == (0, 3)
