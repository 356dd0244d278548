"""Copy segments of the stream of documents to where they lie in rows: ids, flags and labels alike.

Legend: N bytes of the stream, S segments, R rows, G rows of a group, B bytes of a row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from refinery.compiled import Filled, Matrix, kernel
from refinery.packing.layouts import Ints, Segments
from schemas.errors import ContractError

Bytes = npt.NDArray[np.uint8]


def filled_rows(
    stream: npt.NDArray[Any],
    rows: Ints,
    *,
    seq_len: int,
    empty: int,
    bounds: Ints,
    begins: Ints,
    segments: Segments,
) -> npt.NDArray[Any]:
    """[rows, seq_len] what the stream holds for each token of these rows; `empty` where no segment lies.

    Args:
        stream: A value for each token of all documents.
        rows: Numbers of the rows.
        seq_len: Tokens of a row.
        empty: The value of padding.
        bounds: [all rows + 1] the first segment of each row.
        begins: By segment, its first token in the stream.
        segments: Where they lie in the rows.

    Raises:
        ContractError: A segment ends beyond its row, or beyond the stream.
    """
    filled = np.full((len(rows), seq_len), empty, stream.dtype)
    starts, lengths, width = segments.row_start, segments.length, stream.dtype.itemsize
    faulty = copy_segments(
        stream.view(np.uint8), rows, bounds, begins * width, starts * width, lengths * width,
        filled.view(np.uint8),
    )  # fmt: skip
    if faulty >= 0:
        raise ContractError(
            f"segment {faulty} of a shard: tokens {begins[faulty]} to {begins[faulty] + lengths[faulty]} of "
            f"{len(stream)}, from token {starts[faulty]} of a row of {seq_len} on"
        )
    return filled


@kernel
def copy_segments(
    stream_N: Bytes,
    rows_G: Ints,
    bounds_R: Ints,
    begins_S: Ints,
    row_starts_S: Ints,
    lengths_S: Ints,
    filled_GB: Filled[Matrix[Bytes]],
) -> int:
    """Copy the segments of each of these rows; returns the first that does not fit, -1 where all do."""
    for index in range(len(rows_G)):
        filled_B = filled_GB[index]
        for segment in range(bounds_R[rows_G[index]], bounds_R[rows_G[index] + 1]):
            begin, start, length = begins_S[segment], row_starts_S[segment], lengths_S[segment]
            if min(begin, start, length) < 0 or begin > len(stream_N) - length:
                return segment
            if start > len(filled_B) - length:
                return segment
            filled_B[start : start + length] = stream_N[begin : begin + length]
    return -1
