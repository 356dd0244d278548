from __future__ import annotations

import numpy as np
import pytest

from refinery.dedup.config import BandTarget, DedupConfig
from refinery.dedup.lsh import SCurve, best_bands, scheme_name, with_bands
from refinery.dedup.signatures import ShingleSets, sign_sets
from refinery.text.utf8 import Texts
from schemas.errors import SettingsError


def words_of(text: str, n: int) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)} or {tuple(words)}


@pytest.mark.parametrize("jaccard", [0.5, 0.8, 0.9])
def test_estimate_lies_within_theory(jaccard: float) -> None:
    generator, num, pairs = np.random.default_rng(3), 112, 200
    shared = round(600 * jaccard)
    errors = []
    for _ in range(pairs):
        pool = generator.integers(0, 2**32, 600, dtype=np.uint32)
        own = (600 - shared) // 2
        sides = np.concatenate((pool[: shared + own], pool[:shared], pool[shared + own :]))
        middle = shared + own
        sets = ShingleSets.distinct(sides, np.array([0, middle, middle + shared + 600 - middle]))
        true = shared / (shared + 2 * own)
        left, right = sign_sets(sets, num, 1)
        errors.append(np.mean(left == right) - true)

    # The mean of `pairs` estimates of `num` slots each; permutations are shared between pairs,
    # which leaves four standard errors as the bound.
    bound = 4 * np.sqrt(jaccard * (1 - jaccard) / (num * pairs))
    assert abs(np.mean(errors)) < bound
    assert np.std(errors) < 1.5 * np.sqrt(jaccard * (1 - jaccard) / num)


def test_empty_text_has_an_empty_set_and_empty_slots() -> None:
    sets = ShingleSets.of(Texts.of(["", "one"]), 5)

    assert [len(s) for s in sets] == [0, 1]
    assert (sign_sets(sets, 8, 1)[0] == 2**32 - 1).all()


def test_shingles_are_runs_of_words_of_one_text() -> None:
    texts = ["a b c d e f a b c d e", "", "x y z", "a b c d e"]

    sets = [set(s.tolist()) for s in ShingleSets.of(Texts.of(texts), 5)]

    assert [len(s) for s in sets] == [6, 0, 1, 1]
    assert sets[3] < sets[0]
    assert len(sets[0]) == len(words_of(texts[0], 5))


def test_chinese_shingles_are_runs_of_characters() -> None:
    text = "今天天气很好我们去公园散步"

    (own,) = ShingleSets.of(Texts.of([text]), 5)

    assert len(own) == len({text[i : i + 5] for i in range(len(text) - 4)})


@pytest.mark.parametrize(("threshold", "weight"), [(0.8, 0.5), (0.5, 0.5), (0.7, 0.9)])
def test_bands_have_the_least_weighted_areas(threshold: float, weight: float) -> None:
    target = BandTarget(permutations=64, false_negative_weight=weight)

    def error(bands: int, rows: int) -> float:
        curve = SCurve(bands, rows, threshold)
        return weight * curve.false_negative_area + (1 - weight) * curve.false_positive_area

    every = [(b, r) for b in range(1, 65) for r in range(1, 64 // b + 1)]
    assert best_bands(target, threshold) == min(every, key=lambda choice: error(*choice))


def test_a_target_that_one_band_meets_best_is_refused_with_what_to_do() -> None:
    with pytest.raises(
        SettingsError, match=r"bands_for: 64 permutations at threshold 1: .*num_bands"
    ):
        best_bands(BandTarget(permutations=64), 1.0)


def test_s_curve_of_fourteen_by_eight() -> None:
    curve = SCurve(14, 8, 0.8)

    assert curve.at(0.8) == pytest.approx(0.9236, abs=1e-4)
    assert curve.at(0.9) == pytest.approx(0.999622, abs=1e-6)
    assert curve.at(1.0) == 1.0


def test_bands_are_chosen_for_a_threshold() -> None:
    given = DedupConfig()
    chosen = with_bands(DedupConfig(threshold=0.6, bands_for=BandTarget(permutations=64)))
    other = with_bands(
        DedupConfig(threshold=0.6, bands_for=BandTarget(permutations=64, threshold=0.9))
    )

    assert with_bands(given) is given
    assert (chosen.num_bands, chosen.rows_per_band) == best_bands(BandTarget(permutations=64), 0.6)
    assert (other.num_bands, other.rows_per_band) == best_bands(BandTarget(permutations=64), 0.9)
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
