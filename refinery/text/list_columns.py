"""Arrow columns of lists of integers as arrays, and back: numbers never become Python objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.integer[Any]]


def split_lists(lists: pa.ListArray) -> list[npt.NDArray[Any]]:
    """One array for each list of a column without nulls."""
    ends = np.cumsum(lists.value_lengths().to_numpy())
    return np.split(lists.flatten().to_numpy(), ends[:-1])


def join_lists(arrays: Sequence[Ints]) -> pa.ListArray:
    """A column of lists of 32-bit integers, one for each array."""
    offsets = np.concatenate(([0], np.cumsum([len(each) for each in arrays]))).astype(np.int32)
    flat = np.concatenate([*arrays, np.zeros(0, np.int32)]).astype(np.int32, copy=False)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))
