"""Packing's kernels against plain Python, on hostile shapes too."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from refinery.packing.filling import filled_rows
from refinery.packing.layouts import Ints, Segments, bestfit_rows, least_room
from schemas.errors import ContractError


def plain_best_fit(lengths: list[int], seq_len: int) -> list[tuple[int, int, int, int, int]]:
    """(row, offset in it, document, offset in it, tokens), rows looked at one by one."""
    pieces = [
        (document, start, min(seq_len, length - start))
        for document, length in enumerate(lengths)
        for start in range(0, length, seq_len)
    ]
    rooms: list[int] = []
    came: list[int] = []  # when a row came to the room it has
    segments = []
    for clock, piece in enumerate(sorted(pieces, key=lambda one: (-one[2], one[0], one[1]))):
        document, start, size = piece
        fitting = [row for row, room in enumerate(rooms) if room >= size]
        if fitting:
            row = min(fitting, key=lambda one: (rooms[one], -came[one]))
        else:
            row = len(rooms)
            rooms.append(seq_len)
            came.append(clock)
        segments.append((row, seq_len - rooms[row], document, start, size))
        rooms[row] -= size
        came[row] = clock
    return sorted(segments)


def as_tuples(segments: Segments) -> list[tuple[int, ...]]:
    parts = segments
    columns = (parts.row, parts.row_start, parts.document, parts.doc_start, parts.length)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("seq_len", [1, 2, 7, 63, 64, 65, 130])
def test_best_fit_is_the_search_over_all_rows(seq_len: int) -> None:
    generator = np.random.default_rng(seq_len)
    for most in (1, 3, seq_len, 3 * seq_len):
        lengths = generator.integers(0, most + 1, 60)

        segments = bestfit_rows(lengths, seq_len)

        expected = plain_best_fit(lengths.tolist(), seq_len)
        assert as_tuples(segments) == expected
        assert segments.num_rows == len({row for row, *_ in expected})


@pytest.mark.parametrize("bits", [[], [0], [63], [64], [5, 64, 127], [127]])
def test_the_least_room_is_the_first_bit_from_there_on(bits: list[int]) -> None:
    words = np.zeros(2, np.uint64)
    for bit in bits:
        words[bit // 64] |= np.uint64(1) << np.uint64(bit % 64)

    found = [least_room(words, size) for size in range(128)]

    assert found == [min((b for b in bits if b >= size), default=-1) for size in range(128)]


def segments_of(row_start: list[int], length: list[int]) -> Segments:
    numbers = [np.array(values, np.int64) for values in (row_start, length)]
    none = np.zeros(len(length), np.int64)
    return Segments(none, none, none, numbers[0], numbers[1], num_rows=2)


def fill(stream: npt.NDArray[np.generic], begins: list[int], segments: Segments) -> list[list[int]]:
    rows: Ints = np.array([1, 0, 1], np.int64)
    bounds: Ints = np.array([0, 2, len(begins)], np.int64)
    filled = filled_rows(
        stream, rows, seq_len=6, empty=0, bounds=bounds,
        begins=np.array(begins, np.int64), segments=segments,
    )  # fmt: skip
    assert filled.dtype == stream.dtype
    rows_of_lists: list[list[int]] = filled.astype(int).tolist()
    return rows_of_lists


@pytest.mark.parametrize("dtype", [np.int32, np.bool_, np.uint8, np.int64])
def test_rows_are_filled_in_the_order_asked_for(dtype: type[np.generic]) -> None:
    stream = (np.arange(20) % 3).astype(dtype)
    segments = segments_of([0, 2, 1], [2, 3, 5])

    filled = fill(stream, [4, 15, 10], segments)

    values = stream.astype(int).tolist()
    second = [0, *values[10:15]]
    assert filled == [second, [*values[4:6], *values[15:18], 0], second]


@pytest.mark.parametrize(
    ("begins", "row_start", "length", "faulty"),
    [
        ([0, 0, 18], [0, 0, 0], [1, 1, 3], "segment 2"),  # beyond the stream
        ([0, 0, 0], [0, 0, 4], [1, 1, 3], "segment 2"),  # beyond the row
        ([0, -1, 0], [0, 0, 0], [1, 1, 1], "segment 1"),
        ([0, 0, 0], [0, -1, 0], [1, 1, 1], "segment 1"),
        ([0, 0, 0], [0, 0, 0], [1, -1, 1], "segment 1"),
        ([2**60, 0, 0], [0, 0, 0], [2**60, 1, 1], "segment 0"),
    ],
)
def test_a_segment_beyond_its_bounds_is_refused(
    begins: list[int], row_start: list[int], length: list[int], faulty: str
) -> None:
    stream = np.arange(20, dtype=np.int32)

    with pytest.raises(ContractError, match=faulty):
        fill(stream, begins, segments_of(row_start, length))
