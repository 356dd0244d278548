"""A part of the held-out split holds every source."""

from __future__ import annotations

import numpy as np

from train.evaluation.chosen_rows import choose_rows


def test_sources_that_lie_behind_each_other_are_all_read() -> None:
    tokens = np.zeros((100, 5), np.int64)
    for row in range(100):
        tokens[row, min(row // 24, 4)] = 16

    chosen = choose_rows(tokens, 10)

    by_source = (tokens[chosen] > 0).sum(0)
    assert by_source.tolist() == [3, 2, 2, 2, 1]
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert choose_rows(tokens, 10).tolist() == chosen.tolist()


def test_a_source_that_only_shares_rows_is_read_too() -> None:
    tokens = np.array([[16, 0]] * 9 + [[15, 1]])

    assert 9 in choose_rows(tokens, 2).tolist()


def test_fewer_rows_than_sources_are_those_of_the_largest() -> None:
    tokens = np.array([[16, 0, 0]] * 3 + [[0, 16, 0]] * 5 + [[0, 0, 16]])

    assert choose_rows(tokens, 2).tolist() == [1, 5]


def test_all_rows_are_read_where_as_many_are_asked_for() -> None:
    assert choose_rows(np.ones((4, 1), np.int64), 9).tolist() == [0, 1, 2, 3]
    for count in range(1, 30):
        assert len(choose_rows(np.eye(3, dtype=np.int64).repeat((20, 9, 1), 0), count)) == count
