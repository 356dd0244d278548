"""What is said before a run: how large a difference the items could show."""

from __future__ import annotations

import math

import pytest

from train.evaluation.foresight import findable
from train.evaluation.items import Candidate, Item


def _items(count: int, *, choices: int = 4, each: int | None = None) -> list[Item]:
    texts = tuple(Candidate(context="", text=str(n)) for n in range(choices))
    return [
        Item(
            id=str(n), candidates=texts, gold=(0,), cluster=None if each is None else str(n // each)
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [100, 1_000, 10_000])
def test_independent_items_follow_the_published_formula(count: int) -> None:
    """2.8 sqrt(2 p (1 - p) (1 - r) / n) with four choices and r = .5."""
    expected = 100 * 2.8 * math.sqrt(2 * 0.25 * 0.75 * 0.5 / count)

    said = findable("t", _items(count))

    assert said.startswith(f"t: {count:,} items: a difference of ")
    assert float(said.split("difference of ")[1].split()[0]) == pytest.approx(expected, abs=0.2)


def test_few_clusters_say_that_they_are_few() -> None:
    said = findable("t", _items(200, each=20))

    assert "200 items in 10 clusters" in said
    assert said.endswith("with fewer than 30 clusters intervals may be too short")


@pytest.mark.parametrize("items", [_items(1), _items(50, each=50), _items(3)])
def test_what_can_tell_nothing_says_so(items: list[Item]) -> None:
    assert findable("t", items).endswith("no difference between two models could be told from luck")


def test_one_candidate_has_no_chance() -> None:
    assert "a difference of" in findable("t", _items(500, choices=1))
