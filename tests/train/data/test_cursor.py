"""The order of samples is arithmetic: complete, laned, independent of ranks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from train.data.cursor import Cursor, RankShare, rank_samples


def rows_of(cursor: Cursor, start: int, count: int) -> list[int]:
    return cursor.rows(np.arange(start, start + count, dtype=np.int64)).tolist()


def test_a_pass_by_shard_walks_the_lanes_side_by_side() -> None:
    cursor = Cursor(shard_rows=[5, 6], lanes=3, seed=1, order="by_shard")

    assert rows_of(cursor, 0, 11) == [0, 3, 6, 1, 4, 7, 2, 5, 8, 9, 10]


@pytest.mark.parametrize("lanes", [1, 3, 48])
@pytest.mark.parametrize("passes", [0, 1, 2])
def test_every_pass_reads_every_row_once(lanes: int, passes: int) -> None:
    cursor = Cursor(shard_rows=[700, 1, 0, 523], lanes=lanes, seed=5)

    rows = rows_of(cursor, passes * cursor.num_rows, cursor.num_rows)

    assert sorted(rows) == list(range(1224))


def test_later_passes_have_their_own_orders_that_the_seed_fixes() -> None:
    first, same, other = (Cursor(shard_rows=[2000], lanes=1, seed=seed) for seed in (1, 1, 2))

    second_pass = rows_of(first, 2000, 2000)

    assert second_pass == rows_of(same, 2000, 2000)
    assert second_pass != rows_of(other, 2000, 2000)
    assert second_pass != rows_of(first, 4000, 2000)
    assert second_pass != list(range(2000))


def test_the_seed_decides_the_first_rows_that_are_read() -> None:
    first, same, other = (
        rows_of(Cursor(shard_rows=[40, 25], lanes=4, seed=seed), 0, 12) for seed in (1, 1, 2)
    )

    assert first == same
    assert set(first) != set(other)


def test_orders_by_seed_are_those_that_were_published() -> None:
    """Literals: whoever changes them changes the data of every run that is resumed."""
    cursor = Cursor(shard_rows=[5, 6], lanes=3, seed=1)

    assert rows_of(cursor, 0, 22) == [
        10,
        5,
        1,
        8,
        6,
        0,
        7,
        9,
        4,
        2,
        3,
        2,
        4,
        8,
        1,
        0,
        7,
        3,
        10,
        9,
        6,
        5,
    ]


def test_the_first_pass_reads_shard_after_shard() -> None:
    cursor = Cursor(shard_rows=[300, 600, 520], lanes=1, seed=3)

    shards = np.searchsorted([300, 900], rows_of(cursor, 0, 1420), side="right")

    assert (np.diff(shards) != 0).sum() == 2


@pytest.mark.parametrize("passes", [0, 1])
def test_blocks_stay_together_and_their_rows_are_mixed(passes: int) -> None:
    cursor = Cursor(shard_rows=[300, 600], lanes=1, seed=3)

    rows = np.array(rows_of(cursor, 900 * passes, 900))

    # Blocks begin at 0, 256, 300, 556 and 812.
    blocks = np.searchsorted([256, 300, 556, 812], rows, side="right")
    assert (np.diff(blocks) != 0).sum() == 4
    assert (np.diff(rows) == 1).sum() < 20


def test_blocks_of_later_passes_by_shard_are_read_as_they_stand() -> None:
    cursor = Cursor(shard_rows=[300, 600], lanes=1, seed=3, order="by_shard")

    assert rows_of(cursor, 0, 900) == list(range(900))
    # Literal: what version 0.2 read.
    later = rows_of(cursor, 900, 900)
    starts = [later[0], *(after for row, after in pairwise(later) if after != row + 1)]
    assert starts == [256, 0, 556, 300, 812]


def test_batch_is_the_same_whatever_the_ranks() -> None:
    cursor = Cursor(shard_rows=[100], lanes=4, seed=1)
    whole = rows_of(cursor, 30, 24)

    for ranks in (1, 2, 3, 4, 8, 5):
        shares = [
            rank_samples(start=30, count=24, share=RankShare(rank=rank, ranks=ranks))
            for rank in range(ranks)
        ]
        assert sorted(np.concatenate(shares).tolist()) == list(range(30, 54))
        assert all((share % ranks == rank).all() for rank, share in enumerate(shares))
        assert sorted(cursor.rows(np.concatenate(shares)).tolist()) == sorted(whole)
