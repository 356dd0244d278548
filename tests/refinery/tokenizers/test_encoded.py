"""Rows of ids in one array against lists of Python."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from refinery.tokenizers.encoded import Encoded

ROWS = [[3, 1, 4], [], [1], [], [5, 9]]


@pytest.mark.parametrize("rows", [ROWS, [[]], []])
def test_rows_come_back_as_they_were(rows: list[list[int]]) -> None:
    encoded = Encoded.of([np.array(row, np.int32) for row in rows])

    assert len(encoded) == len(rows)
    assert [ids.tolist() for ids in encoded] == rows
    assert encoded.column().to_pylist() == rows
    assert encoded.column().type == pa.list_(pa.int32())


def test_a_row_is_found_by_its_number() -> None:
    encoded = Encoded(np.array([7, 8, 9], np.int32), np.array([0, 0, 2, 3], np.int64))

    assert [encoded[document].tolist() for document in range(3)] == [[], [7, 8], [9]]


def test_ids_of_another_width_are_brought_to_32_bits() -> None:
    encoded = Encoded.of([np.array([1, 2], np.int64)])  # type: ignore[list-item]

    assert encoded.ids_T.dtype == np.int32
    assert encoded.ids_T.tolist() == [1, 2]
