"""Settle what belongs together after the cut: units are kept whole, hidden parts are left out.

Each block is judged by itself, so a table may lose its head and a question its answer. A unit of
which half is kept is kept whole.
Shapes: N blocks, E elements.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from refinery.extract.blocks import Blocks
from refinery.extract.grids import Grids
from refinery.extract.hidden import Hidden
from refinery.extract.tag_kinds import TAG_IDS

Bools = NDArray[np.bool_]

# A hidden part that holds more of the text that is kept is the page itself, shown once it is loaded.
MOST_HIDDEN_SHARE = 0.25

_UNITS = [TAG_IDS["dl"], TAG_IDS["details"]]
_FROM_ALL = 1 << Hidden.FROM_ALL


def settle(blocks: Blocks, kept: Bools, words: NDArray[np.float32]) -> Bools:
    """The blocks [N] to keep, from those that the cut keeps and the words of each."""
    settled = kept.copy()
    for unit in _units(blocks):
        if words[unit] @ kept[unit] * 2 >= words[unit].sum():
            settled[unit] = True
    total = float(words @ settled)
    for first, end in _hidden_parts(blocks):
        if words[first:end] @ settled[first:end] < MOST_HIDDEN_SHARE * total:
            settled[first:end] = False
    return settled


def _units(blocks: Blocks) -> Iterator[NDArray[np.int64]]:
    """The blocks of each table of data, of each list of terms, of each part with a summary."""
    for table in Grids(blocks).data_tables():
        yield np.array(table, np.int64)
    for element in np.flatnonzero(np.isin(blocks.tag_ids, _UNITS)).tolist():
        yield np.arange(blocks.starts[element], blocks.ends[element])


def _hidden_parts(blocks: Blocks) -> Iterator[tuple[int, int]]:
    """First block and end of each element that is hidden from all readers."""
    for element in np.flatnonzero(blocks.hidden_bits & _FROM_ALL).tolist():
        first, end = int(blocks.starts[element]), int(blocks.ends[element])
        if first < end:
            yield first, end
