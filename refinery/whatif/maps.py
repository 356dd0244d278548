"""Map columns of a ledger as a table: a row for each document, a column for each key."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from refinery.filters.values import Floats


def map_columns(maps: pa.MapArray) -> dict[str, Floats]:
    """A map column as one array [rows] per key; NaN where a row lacks the key."""
    names, table = map_table(maps)
    return {name: table[:, column] for column, name in enumerate(names)}


def map_table(maps: pa.MapArray) -> tuple[list[str], NDArray[np.float64]]:
    """The keys of a map column, and its values [rows, keys] row by row; NaN where a row lacks a key."""
    size = len(maps)
    offsets = maps.offsets.to_numpy(zero_copy_only=False)
    start, count = int(offsets[0]), int(offsets[-1] - offsets[0])
    keys = maps.keys.slice(start, count)
    values = maps.items.slice(start, count).to_numpy(zero_copy_only=False)
    width = count // size if size else 0
    names = keys if pa.types.is_dictionary(keys.type) else keys.dictionary_encode()
    codes = names.indices.to_numpy(zero_copy_only=False)
    if width and width * size == count and (codes.reshape(-1, width) == codes[:width]).all():
        # The usual ledger: every row has the same keys in one order.
        return keys[:width].to_pylist(), values.reshape(size, width)
    labels: list[str] = names.dictionary.to_pylist()
    table = np.full((size, len(labels)), np.nan)
    table[np.repeat(np.arange(size), np.diff(offsets)), codes] = values
    return labels, table
