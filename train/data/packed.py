"""Packed rows as objectives take them: plain arrays, no strings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class PackedRows:
    """Rows of the manifest. Shapes: B rows, T tokens, S segments of all rows in their order.

    Attributes:
        input_ids: [B, T].
        next_token: [B], the token that follows the row in its document, -1 for none.
        sample_index: [B], the samples' numbers since the start of training; randomness is keyed
            by it, never by the rank.
        segment_row: [S], the row of each segment.
        segment_start: [S], in tokens of the row.
        segment_length: [S], in tokens; what no segment covers is padding.
        segment_source: [S], numbers into `sources`.
        sources: Names.
        extra: Optional columns of the manifest by name: [B] numbers, or [B, T] one for each token.
    """

    input_ids: Int32s
    next_token: Int32s
    sample_index: Int64s
    segment_row: Int32s
    segment_start: Int32s
    segment_length: Int32s
    segment_source: Int32s
    sources: tuple[str, ...]
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)
