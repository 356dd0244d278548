from __future__ import annotations

import numpy as np
import pytest

from refinery.decontaminate.grams import RunFilter, Runs, prefix_hashes, run_hashes
from refinery.text.hashing import mix_all

TOKENS = np.random.default_rng(3).integers(0, 2**64, 400, dtype=np.uint64)


def polynomial(run: list[int]) -> int:
    """The hash of a run as Python's whole numbers give it."""
    value = run[0]
    for token in run[1:]:
        value = (value * 0x9E3779B97F4A7C15 + token) % 2**64
    return value


@pytest.mark.parametrize("tokens", [1, 2, 8, 13])
def test_every_run_has_the_hash_of_its_tokens_alone(tokens: int) -> None:
    values = TOKENS.tolist()

    prefixes = prefix_hashes(TOKENS, tokens)

    expected = [polynomial(values[i : i + tokens]) for i in range(len(values) - tokens + 1)]
    assert prefixes.tolist() == expected


def test_texts_shorter_than_a_run_have_none() -> None:
    assert prefix_hashes(TOKENS[:3], 4).tolist() == []


def test_a_grown_run_has_the_hash_of_the_longer_one() -> None:
    firsts = np.array([0, 5, 300])

    unfinished, finished = run_hashes(TOKENS, firsts, 13)

    assert unfinished.tolist() == prefix_hashes(TOKENS, 13)[firsts].tolist()
    assert finished.tolist() == mix_all(unfinished).tolist()


@pytest.mark.parametrize("num_keys", [0, 1, 1000, 50_000])
def test_a_filter_passes_all_of_its_own_and_under_one_in_a_hundred_others(num_keys: int) -> None:
    generator = np.random.default_rng(4)
    keys, others = (generator.integers(0, 2**64, n, dtype=np.uint64) for n in (num_keys, 20_000))

    built = RunFilter.of(5, keys)

    assert built.passing(keys).tolist() == list(range(num_keys))
    assert len(built.passing(others)) < 200


def test_equal_hashes_are_found_together_and_in_the_order_of_their_tokens() -> None:
    hashes = np.array([7, 3, 7, 2**63, 7], np.uint64)

    runs = Runs.of(13, hashes, np.array([40, 10, 20, 5, 30]), whole_line=False)
    low, high = runs.bounds(np.array([7, 4, 2**63], np.uint64))

    assert [runs.firsts[a:b].tolist() for a, b in zip(low, high, strict=True)] == [
        [20, 30, 40], [], [5],
    ]  # fmt: skip
