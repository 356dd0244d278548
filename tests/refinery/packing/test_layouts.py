from __future__ import annotations

import numpy as np
import pytest

from refinery.packing.layouts import (
    LAYOUTS,
    Segments,
    bestfit_rows,
    concat_rows,
    document_rows,
    drop_short_tail,
)


def as_tuples(segments: Segments) -> list[tuple[int, ...]]:
    columns = (
        segments.row,
        segments.row_start,
        segments.document,
        segments.doc_start,
        segments.length,
    )
    return [tuple(int(v) for v in row) for row in zip(*columns, strict=True)]


def test_concat_cuts_documents_at_row_borders() -> None:
    segments = concat_rows(np.array([3, 9, 2]), 5)

    assert as_tuples(segments) == [
        (0, 0, 0, 0, 3),
        (0, 3, 1, 0, 2),
        (1, 0, 1, 2, 5),
        (2, 0, 1, 7, 2),
        (2, 2, 2, 0, 2),
    ]
    assert segments.num_rows == 3


def test_short_tail_is_dropped_and_a_full_one_is_not() -> None:
    short = drop_short_tail(concat_rows(np.array([7]), 5), 5)
    full = drop_short_tail(concat_rows(np.array([10]), 5), 5)

    assert (short.num_rows, int(short.length.sum())) == (1, 5)
    assert (full.num_rows, int(full.length.sum())) == (2, 10)


def test_documents_start_rows_of_their_own() -> None:
    assert as_tuples(document_rows(np.array([3, 12]), 5)) == [
        (0, 0, 0, 0, 3),
        (1, 0, 1, 0, 5),
        (2, 0, 1, 5, 5),
        (3, 0, 1, 10, 2),
    ]


def test_bestfit_takes_the_fullest_row_with_room() -> None:
    segments = bestfit_rows(np.array([6, 5, 4, 5]), 10)

    assert as_tuples(segments) == [
        (0, 0, 0, 0, 6),
        (0, 6, 2, 0, 4),
        (1, 0, 1, 0, 5),
        (1, 5, 3, 0, 5),
    ]


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_every_token_has_one_place(name: str) -> None:
    random = np.random.default_rng(7)
    lengths = random.integers(1, 60, 300)

    segments = LAYOUTS[name](lengths, 16)

    places = set()
    filled = np.zeros((segments.num_rows, 16), int)
    for row, row_start, document, doc_start, length in as_tuples(segments):
        places |= {(document, doc_start + i) for i in range(length)}
        filled[row, row_start : row_start + length] += 1
    assert len(places) == lengths.sum() == segments.length.sum()
    assert filled.max() == 1
    assert all(row.tolist() == sorted(row, reverse=True) for row in filled), "padding is at the end"


def test_bestfit_cuts_fewer_documents_than_concat() -> None:
    random = np.random.default_rng(3)
    lengths = random.integers(1, 16, 400)

    def cuts(segments: Segments) -> int:
        return len(segments.row) - len(lengths)

    assert cuts(bestfit_rows(lengths, 16)) == 0 < cuts(concat_rows(lengths, 16))


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_no_documents_give_no_rows(name: str) -> None:
    assert LAYOUTS[name](np.zeros(0, np.int64), 8).num_rows == 0
