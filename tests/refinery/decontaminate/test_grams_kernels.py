from __future__ import annotations

import itertools

import numpy as np
import pytest

from refinery.compiled import read_only
from refinery.decontaminate.grams import Entries, RunFilter, Runs, look_up, run_hashes, scan_runs
from refinery.text.hashing import mix_all

TOKENS = np.random.default_rng(3).integers(0, 2**64, 400, dtype=np.uint64)


def polynomial(run: list[int]) -> int:
    """The hash of a run as Python's whole numbers give it."""
    value = run[0]
    for token in run[1:]:
        value = (value * 0x9E3779B97F4A7C15 + token) % 2**64
    return value


@pytest.mark.parametrize("tokens", [1, 2, 8, 13])
def test_a_scan_finds_the_runs_of_each_text_that_pass(tokens: int) -> None:
    """A filter with all bits set passes every run; an empty one passes none."""
    values = TOKENS[:120].tolist()
    bounds = np.array([0, 0, 40, 41, 60, 120, 120])

    firsts, hashes = scan_runs(np.full(4, 2**64 - 1, np.uint64), TOKENS[:120], bounds, tokens)
    none, _ = scan_runs(np.zeros(4, np.uint64), TOKENS[:120], bounds, tokens)

    expected = [
        (first, polynomial(values[first : first + tokens]))
        for start, end in itertools.pairwise(bounds.tolist())
        for first in range(start, end - tokens + 1)
    ]
    assert list(zip(firsts.tolist(), hashes.tolist(), strict=True)) == expected
    assert len(none) == 0


def test_a_scan_passes_the_filters_own_runs_and_hardly_any_other() -> None:
    own = [3, 90, 200]
    keys = np.array([polynomial(TOKENS[i : i + 5].tolist()) for i in own], np.uint64)

    firsts, _ = scan_runs(RunFilter.of(5, keys).words, TOKENS, np.array([0, len(TOKENS)]), 5)

    assert firsts.tolist() == own


def test_a_grown_run_has_the_hash_of_the_longer_one() -> None:
    firsts = np.array([0, 5, 300])

    unfinished, finished = run_hashes(TOKENS, firsts, 13)

    assert unfinished.tolist() == [polynomial(TOKENS[i : i + 13].tolist()) for i in firsts]
    assert finished.tolist() == mix_all(unfinished).tolist()


@pytest.mark.parametrize("num_keys", [0, 1, 1000, 5_000])
def test_a_filter_passes_all_of_its_own_and_under_one_in_a_hundred_others(num_keys: int) -> None:
    generator = np.random.default_rng(4)
    keys, others = (generator.integers(0, 2**64, n, dtype=np.uint64) for n in (num_keys, 4_000))

    built = RunFilter.of(5, keys)

    assert built.passing(keys).tolist() == list(range(num_keys))
    assert len(built.passing(others)) < 40


def test_equal_hashes_stand_together_in_the_order_of_their_tokens() -> None:
    hashes = np.array([7, 3, 7, 2**63, 7], np.uint64)
    none = np.zeros(0, np.uint64), np.zeros(0, np.int64)

    runs = Runs.of([(8, *none), (13, hashes, np.array([40, 10, 20, 5, 30])), (14, hashes[:1], np.array([2]))])  # fmt: skip

    assert [part.tolist() for part in runs.entries] == [[13, 14], [0, 5, 6], [3, 7, 7, 7, 2**63, 7]]
    assert runs.firsts.tolist() == [10, 20, 30, 40, 5, 2]
    assert len(Runs.of([(8, *none)])) == 0


@pytest.mark.parametrize("seed", range(8))
def test_runs_are_looked_up_at_each_length_within_their_text(seed: int) -> None:
    """Against slices of Python; texts repeat themselves, and some entries are those of no text."""
    generator = np.random.default_rng(seed)
    hashes = TOKENS[generator.integers(0, 6, 60)]
    bounds = np.array([0, 0, 17, 18, 40, 60])
    may_end = generator.random(61) < 0.7
    lengths = np.array([3, 4, 7])
    kinds = []
    for length in lengths.tolist():
        own = generator.choice(60 - length, 4)
        finished = run_hashes(hashes, own, length)[1]
        kinds.append(np.sort(np.concatenate([finished, finished[:1], TOKENS[50:53]])))
    known = Entries(*map(read_only, (lengths, np.arange(4) * 8, np.concatenate(kinds))))
    firsts = np.flatnonzero(generator.random(58) < 0.8)

    found = look_up(hashes, bounds, firsts, run_hashes(hashes, firsts, 3)[0], 3, may_end, known)  # fmt: skip

    expected = []
    for first in firsts.tolist():
        end = next(bound for bound in bounds.tolist() if bound > first)
        for kind, length in enumerate(lengths.tolist()):
            if first + length <= end and may_end[first + length]:
                sought = run_hashes(hashes, np.array([first]), length)[1][0]
                places = (8 * kind + np.flatnonzero(kinds[kind] == sought)).tolist()
                if places:
                    expected.append((first, length, places[0], places[-1] + 1))
    assert list(zip(*(column.tolist() for column in found), strict=True)) == expected
    assert expected
