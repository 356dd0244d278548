from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from refinery.text.list_columns import join_lists, split_lists


@pytest.mark.parametrize("lists", [[], [[]], [[1, 2], [], [3]], [[], [7, 8]]])
def test_lists_come_back_as_they_were(lists: list[list[int]]) -> None:
    joined = join_lists([np.array(one, np.int64) for one in lists])

    assert joined.to_pylist() == lists
    assert joined.type == pa.list_(pa.int32())
    if lists:
        assert [array.tolist() for array in split_lists(joined)] == lists


def test_a_slice_of_a_column_gives_its_own_lists() -> None:
    whole = pa.array([[1], [2, 3], [4, 5, 6]], pa.list_(pa.int32()))

    assert [array.tolist() for array in split_lists(whole.slice(1))] == [[2, 3], [4, 5, 6]]
