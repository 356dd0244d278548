"""What each token of packed rows belongs to.

Shapes: B rows, T tokens, S segments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.data.packed import PackedRows


@dataclass(frozen=True)
class TokenSegments:
    """What each token belongs to.

    Attributes:
        segment: Index [B, T] of its segment among all of the batch, -1 for padding.
        document: Number [B, T] of its segment within the row from 1, 0 for padding.
        positions: Position [B, T] within the segment.
    """

    segment: NDArray[np.int64]
    document: NDArray[np.int64]
    positions: NDArray[np.int64]


def token_segments(rows: PackedRows) -> TokenSegments:
    """The segment, the document and the position of each token."""
    shape = rows.input_ids.shape
    segment = np.full(shape, -1, np.int64)
    document = np.zeros(shape, np.int64)
    positions = np.zeros(shape, np.int64)
    lengths = rows.segment_length.astype(np.int64)
    number = np.arange(len(lengths))
    firsts = np.cumsum(lengths) - lengths
    within = np.arange(int(lengths.sum())) - np.repeat(firsts, lengths)
    row = np.repeat(rows.segment_row, lengths)
    column = np.repeat(rows.segment_start, lengths) + within
    first_of_row = np.searchsorted(rows.segment_row, rows.segment_row, side="left")
    segment[row, column] = np.repeat(number, lengths)
    document[row, column] = np.repeat(number - first_of_row + 1, lengths)
    positions[row, column] = within
    return TokenSegments(segment, document, positions)
