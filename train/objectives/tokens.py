"""Rows of tokens with their documents and segments, kept, dropped or ended for all rows at once.

Shapes: B rows, W columns; a row's tokens come first, padding behind them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from train.data.packed import PackedRows
from train.objectives.rows import token_segments

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Tokens:
    """Rows of tokens.

    Attributes:
        ids: Token ids [B, W].
        document: Number [B, W] of the document in the row from 1, 0 for padding.
        segment: Index [B, W] of the segment in the batch, -1 for padding.
    """

    ids: Ids
    document: Ids
    segment: Ids

    @property
    def real(self) -> Mask:
        """True [B, W] where there is no padding."""
        return self.document > 0

    @property
    def counts(self) -> Ids:
        """Number [B] of tokens of each row."""
        counts: Ids = self.real.sum(1)
        return counts

    def with_ids(self, ids: Ids) -> Tokens:
        return replace(self, ids=ids)

    def kept(self, keep: Mask, *, pad: int) -> Tokens:
        """The tokens where `keep` is true, moved together; padding is never kept."""
        keep = keep & self.real
        counts = keep.sum(1)
        filled = np.arange(max(int(counts.max(initial=0)), 1)) < counts[:, None]
        return self._moved(keep, filled, pad)

    def ended(self, mark: int, *, pad: int) -> Tokens:
        """The rows with an end mark behind the last token; empty rows stay empty."""
        counts, rows = self.counts, np.flatnonzero(self.counts)
        wide = self.widened(self.ids.shape[1] + 1, pad=pad)
        last = counts[rows] - 1
        wide.ids[rows, last + 1] = mark
        wide.document[rows, last + 1] = self.document[rows, last]
        wide.segment[rows, last + 1] = self.segment[rows, last]
        return wide

    def widened(self, width: int, *, pad: int) -> Tokens:
        """A copy with padding to `width` columns; tokens beyond are cut."""
        size = min(width, self.ids.shape[1])
        made = empty_tokens(len(self.ids), width, pad=pad)
        made.ids[:, :size] = self.ids[:, :size]
        made.document[:, :size] = self.document[:, :size]
        made.segment[:, :size] = self.segment[:, :size]
        return made

    def _moved(self, keep: Mask, filled: Mask, pad: int) -> Tokens:
        made = empty_tokens(*filled.shape, pad=pad)
        made.ids[filled] = self.ids[keep]
        made.document[filled] = self.document[keep]
        made.segment[filled] = self.segment[keep]
        return made


def empty_tokens(rows: int, width: int, *, pad: int) -> Tokens:
    """Rows that hold padding alone."""
    shape = (rows, width)
    return Tokens(np.full(shape, pad, np.int64), np.zeros(shape, np.int64), np.full(shape, -1))


def row_tokens(rows: PackedRows) -> Tokens:
    per_token = token_segments(rows)
    return Tokens(rows.input_ids.astype(np.int64), per_token.document, per_token.segment)


def joined(first: Tokens, second: Tokens, *, pad: int) -> Tokens:
    """Rows that hold the tokens of `first` and directly behind them those of `second`."""
    sides = (first, second)
    counts = first.counts + second.counts
    filled = np.arange(max(int(counts.max(initial=0)), 1)) < counts[:, None]
    both = Tokens(
        *(
            np.concatenate([getattr(side, name) for side in sides], axis=1)
            for name in ("ids", "document", "segment")
        )
    )
    return both._moved(both.real, filled, pad)
