from __future__ import annotations

import numpy as np
import pytest
from datasketch import MinHash
from datasketch.lsh import _optimal_param

from refinery.dedup.config import BandTarget, DedupConfig
from refinery.dedup.lsh import (
    EMPTY_SLOT,
    SCurve,
    band_hashes,
    best_bands,
    permutations,
    scheme_name,
    shingle_sets,
    signature,
    with_bands,
)
from refinery.text.batch import TextBatch


def words_of(text: str, n: int) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)} or {tuple(words)}


@pytest.mark.parametrize("jaccard", [0.5, 0.8, 0.9])
def test_estimate_lies_within_theory(jaccard: float) -> None:
    generator, num, pairs = np.random.default_rng(3), 112, 200
    shared = round(600 * jaccard)
    errors = []
    for _ in range(pairs):
        pool = generator.integers(0, 2**64, 600, dtype=np.uint64)
        own = (600 - shared) // 2
        left = np.sort(pool[: shared + own])
        right = np.sort(np.concatenate((pool[:shared], pool[shared + own : shared + 2 * own])))
        true = shared / (shared + 2 * own)
        errors.append(np.mean(signature(left, num, 1) == signature(right, num, 1)) - true)

    # The mean of `pairs` estimates of `num` slots each; permutations are shared between pairs,
    # which leaves four standard errors as the bound.
    bound = 4 * np.sqrt(jaccard * (1 - jaccard) / (num * pairs))
    assert abs(np.mean(errors)) < bound
    assert np.std(errors) < 1.5 * np.sqrt(jaccard * (1 - jaccard) / num)


def test_signature_equals_plain_arithmetic() -> None:
    shingles = np.sort(np.random.default_rng(0).integers(0, 2**64, 3000, dtype=np.uint64))
    multipliers, offsets = permutations(16, 5)

    found = signature(shingles, 16, 5)

    expected = [
        min((int(a) * (int(s) >> 32) + int(b)) % 2**32 for s in shingles)
        for a, b in zip(multipliers, offsets, strict=True)
    ]
    assert found.tolist() == expected


def test_empty_text_has_an_empty_set_and_empty_slots() -> None:
    sets = shingle_sets(TextBatch.of(["", "one"]), 5)

    assert [len(s) for s in sets] == [0, 1]
    assert (signature(sets[0], 8, 1) == EMPTY_SLOT).all()


def test_shingles_are_runs_of_words_of_one_text() -> None:
    texts = ["a b c d e f a b c d e", "", "x y z", "a b c d e"]

    sets = shingle_sets(TextBatch.of(texts), 5)

    assert [len(s) for s in sets] == [6, 0, 1, 1]
    assert set(sets[3]) < set(sets[0])
    assert len(sets[0]) == len(words_of(texts[0], 5))


def test_chinese_shingles_are_runs_of_characters() -> None:
    text = "今天天气很好我们去公园散步"

    sets = shingle_sets(TextBatch.of([text]), 5)

    assert len(sets[0]) == len({text[i : i + 5] for i in range(len(text) - 4)})


def test_bands_of_a_batch_equal_those_of_each_text() -> None:
    config = DedupConfig()
    slots = np.random.default_rng(2).integers(0, 2**32, (4, 112), dtype=np.uint32)

    whole = band_hashes(slots, config)

    assert whole.shape == (4, 14)
    assert all((band_hashes(slots[i], config) == whole[i]).all() for i in range(4))
    assert len(set(whole.reshape(-1).tolist())) == 56


@pytest.mark.parametrize(("threshold", "weight"), [(0.8, 0.5), (0.5, 0.5), (0.7, 0.9)])
def test_bands_are_those_of_datasketch(threshold: float, weight: float) -> None:
    assert best_bands(threshold, 64, false_negative_weight=weight) == _optimal_param(
        threshold, 64, 1 - weight, weight
    )


def test_s_curve_of_fourteen_by_eight() -> None:
    curve = SCurve(14, 8, 0.8)

    assert curve.at(0.8) == pytest.approx(0.9236, abs=1e-4)
    assert curve.at(0.9) == pytest.approx(0.999622, abs=1e-6)
    assert curve.at(1.0) == 1.0


@pytest.mark.parametrize("jaccard", [0.5, 0.8])
def test_estimates_agree_with_datasketch_within_theory(jaccard: float) -> None:
    generator, num, pairs = np.random.default_rng(9), 112, 100
    shared = round(300 * jaccard)
    own = (300 - shared) // 2
    true = shared / (shared + 2 * own)
    ours, theirs = [], []
    for _ in range(pairs):
        pool = generator.integers(0, 2**64, shared + 2 * own, dtype=np.uint64)
        sides = pool[: shared + own], np.concatenate((pool[:shared], pool[shared + own :]))
        ours.append(np.mean(signature(sides[0], num, 1) == signature(sides[1], num, 1)))
        sketches = []
        for side in sides:
            sketches.append(MinHash(num, seed=1, hashfunc=int))
            sketches[-1].update_batch(side >> np.uint64(32))
        theirs.append(sketches[0].jaccard(sketches[1]))

    deviation = np.sqrt(true * (1 - true) / num)
    assert abs(np.mean(ours) - true) < 4 * deviation / np.sqrt(pairs)
    assert abs(np.mean(ours) - np.mean(theirs)) < 4 * deviation * np.sqrt(2 / pairs)
    assert 0.7 < np.std(ours) / np.std(theirs) < 1.4


def test_bands_are_chosen_for_a_threshold() -> None:
    given = DedupConfig()
    chosen = with_bands(DedupConfig(threshold=0.6, bands_for=BandTarget(permutations=64)))
    other = with_bands(
        DedupConfig(threshold=0.6, bands_for=BandTarget(permutations=64, threshold=0.9))
    )

    assert with_bands(given) is given
    assert (chosen.num_bands, chosen.rows_per_band) == _optimal_param(0.6, 64, 0.5, 0.5)
    assert (other.num_bands, other.rows_per_band) == _optimal_param(0.9, 64, 0.5, 0.5)
    assert scheme_name(chosen) != scheme_name(other)


def test_bands_are_given_or_chosen_not_both() -> None:
    with pytest.raises(ValueError, match="bands_for or num_bands, not both"):
        DedupConfig(num_bands=20, bands_for=BandTarget())


def test_the_curve_prints_both_areas() -> None:
    assert str(SCurve(14, 8, 0.8)) == (
        "14 bands of 8 rows at threshold 0.8: false-negative area 0.00206, false-positive area "
        "0.12828; a pair is found with probability 0.0533 at 0.5, 0.5645 at 0.7, 0.9235 at 0.8, "
        "0.9996 at 0.9"
    )
