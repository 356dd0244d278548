"""Paired comparisons: brute force, size and power, and what may not be asked."""

from __future__ import annotations

import math

import numpy as np
import pytest

from train.statistics.families import benjamini_hochberg
from train.statistics.paired import (
    NOT_TOLD_APART,
    Design,
    mcnemar,
    paired_difference,
    smallest_effect,
)


def test_pairing_finds_what_two_intervals_hide() -> None:
    """40 items that both find easy or hard alike; the first wins 9 and loses 1."""
    first = [1] * 20 + [0] * 10 + [1] * 9 + [0]
    second = [1] * 20 + [0] * 10 + [0] * 9 + [1]

    found = paired_difference(first, second)

    assert found.difference.value == pytest.approx(0.2)
    assert found.p_value == pytest.approx(2 * 11 / 1024)  # 1 or fewer of 10: (1 + 10) / 2**10
    assert (found.wins, found.losses, found.test) == (9, 1, "McNemar, exact")
    assert found.verdict == "higher"
    assert paired_difference(second, first).verdict == "lower"


def test_no_difference_is_a_result() -> None:
    found = paired_difference([1, 0, 1, 0, 1], [0, 1, 1, 0, 1])

    assert found.verdict == NOT_TOLD_APART
    assert found.p_value == 1.0
    assert found.difference.low < 0 < found.difference.high


def test_equal_answers_everywhere_are_not_told_apart() -> None:
    for clusters in (None, ["a", "a", "b"]):
        found = paired_difference([1, 0, 1], [1, 0, 1], clusters=clusters)

        assert found.p_value == 1.0
        assert found.verdict == NOT_TOLD_APART


def test_ties_that_share_a_point_are_tested_by_t() -> None:
    assert paired_difference([1, 0.5, 0], [0, 0.5, 0]).test == "t on 3 items"
    clustered = paired_difference([1, 1, 0, 1], [0, 1, 0, 0], clusters=["a", "a", "b", "b"])
    assert clustered.test == "t on 2 clusters"


def test_one_cluster_decides_nothing() -> None:
    found = paired_difference([1, 1, 1, 1], [0, 0, 0, 0], clusters=["only"] * 4)

    assert math.isnan(found.p_value)
    assert found.verdict == NOT_TOLD_APART


def test_mcnemar_refuses_clusters() -> None:
    assert mcnemar([1, 1, 0], [0, 0, 0], clusters=["a", "b", "c"]) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="independent items"):
        mcnemar([1, 1, 0], [0, 0, 0], clusters=["a", "a", "b"])


def _equal_models(draw: np.random.Generator, clusters: int, each: int) -> tuple[np.ndarray, ...]:
    """Two models of one accuracy that differ by paradigm."""
    rates = draw.beta(2, 2, (2, clusters))
    right = draw.random((2, clusters, each)) < rates[:, :, None]
    return tuple(right.reshape(2, -1).astype(float))


def test_clusters_keep_the_size_that_mcnemar_loses() -> None:
    """67 paradigms of 20 pairs: McNemar calls a fifth and more of equal models different."""
    draw = np.random.default_rng(67)
    names = np.repeat(np.arange(67), 20).tolist()
    pairs = [_equal_models(draw, 67, 20) for _ in range(400)]

    by_clusters = np.mean(
        [paired_difference(a, b, clusters=names).p_value < 0.05 for a, b in pairs]
    )
    by_items = np.mean([mcnemar(a, b) < 0.05 for a, b in pairs])

    assert by_clusters <= 0.08
    assert by_items > 0.2


def test_the_smallest_effect_is_found_four_times_in_five() -> None:
    """Independent items: simulated at the effect that the formula names."""
    design = Design(items=400, base_rate=0.5, correlation=0.5)
    effect = smallest_effect(design)
    draw = np.random.default_rng(9)
    found = 0
    for _ in range(400):
        # Both answer alike with probability .75 around the effect: correlation .5.
        kind = draw.random(400)
        first = np.where(kind < 0.375 + effect / 2, 1.0, 0.0)
        same = np.where(kind < 0.375, 1.0, 0.0)
        up, down = 0.125 + effect / 2, 0.125 - effect / 2
        chance = draw.random(400)
        first = np.where(chance < up, 1.0, np.where(chance < up + down, 0.0, same))
        second = np.where(chance < up, 0.0, np.where(chance < up + down, 1.0, same))
        found += paired_difference(first, second).p_value < 0.05

    # .8416 of the normal distribution and 1.9659 of t(399).
    assert effect == pytest.approx(2.8075 * math.sqrt(2 * 0.25 * 0.5 / 400), rel=1e-4)
    assert 0.72 <= found / 400 <= 0.88


def test_clusters_hide_smaller_effects() -> None:
    apart = smallest_effect(Design(items=1_340))
    clustered = smallest_effect(Design(items=1_340, clusters=67))

    # 1 + 19 x .1 = 2.9 times the variance, and t(66) for t(1339).
    assert clustered / apart == pytest.approx(math.sqrt(2.9) * 2.8382 / 2.8033, rel=1e-3)
    assert smallest_effect(Design(items=20, clusters=1)) == math.inf


@pytest.mark.parametrize(
    "wrong", [{"items": 0}, {"items": 5, "base_rate": 1.0}, {"items": 5, "clusters": 6}]
)
def test_a_design_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="need"):
        Design(**wrong)  # type: ignore[arg-type]


def test_benjamini_hochberg_follows_the_published_example() -> None:
    """Benjamini and Hochberg 1995, section 3.2: 15 hypotheses, 4 rejected at .05."""
    published = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
        0.5719, 0.6528, 0.7590, 1.0000,
    ]  # fmt: skip

    adjusted = benjamini_hochberg(published)

    assert sum(p <= 0.05 for p in adjusted) == 4
    assert adjusted[3] == pytest.approx(0.0095 * 15 / 4)
    assert benjamini_hochberg(published[::-1]) == adjusted[::-1]


def test_a_comparison_that_could_not_be_made_counts_for_none() -> None:
    adjusted = benjamini_hochberg([0.02, math.nan, 0.03])

    assert adjusted[0] == pytest.approx(0.03)
    assert math.isnan(adjusted[1])
    assert benjamini_hochberg([]) == []
