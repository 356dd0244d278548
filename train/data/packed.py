"""Packed rows as objectives take them: arrays of numbers, without strings."""

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
        input_ids: Token ids [B, T].
        next_token: Token [B] that follows the row in its last document, -1 where none does.
        sample_index: Numbers [B] of the samples since the start of training; random numbers depend
            on them, never on the rank.
        segment_row: Row [S] of each segment.
        segment_start: Position [S] in the row of each segment's first token.
        segment_length: Number [S] of each segment's tokens; tokens of no segment are padding.
        segment_source: Index [S] of each segment's source in `sources`.
        sources: Names of the sources.
        document_start: Position [S] in its document of each segment's first token; None where rows
            do not come from shards.
        extra: Optional columns of the manifest by name: [B], or [B, T] with a value per token.
    """

    input_ids: Int32s
    next_token: Int32s
    sample_index: Int64s
    segment_row: Int32s
    segment_start: Int32s
    segment_length: Int32s
    segment_source: Int32s
    sources: tuple[str, ...]
    document_start: Int32s | None = None
    extra: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def part(self, start: int, stop: int) -> PackedRows:
        """The rows `start <= row < stop`."""
        own = (self.segment_row >= start) & (self.segment_row < stop)
        known = self.document_start
        return PackedRows(
            input_ids=self.input_ids[start:stop],
            next_token=self.next_token[start:stop],
            sample_index=self.sample_index[start:stop],
            segment_row=self.segment_row[own] - start,
            segment_start=self.segment_start[own],
            segment_length=self.segment_length[own],
            segment_source=self.segment_source[own],
            sources=self.sources,
            document_start=None if known is None else known[own],
            extra={name: values[start:stop] for name, values in self.extra.items()},
        )
