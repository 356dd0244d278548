"""Causal language modelling over packed rows.

A token's label is the next token of its own document; the last token of a row finds it in
`next_token`. A document begins behind a mark, the end mark of the document before it in its row,
which it alone attends to: so its first token has a label too. In front of a row's first document the
mark stands where the row has room for one more token.

Shapes: B rows, T tokens, S segments, N first tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from train.batch.batch import NO_LABEL, Batch
from train.data.packed import Int32s, PackedRows
from train.objectives.assemble import make_batch
from train.objectives.rows import TokenSegments, token_segments
from train.objectives.tokens import Tokens

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class CausalObjective:
    """Predict each token of a document; `mark` is the id that ends one and stands before the next."""

    mark: int

    def build(self, rows: PackedRows, *, seed: int) -> Batch:
        """Inputs and labels of packed rows; nothing is drawn, so the seed is not used."""
        rows = self.with_room_used(rows)
        per_token = token_segments(rows)
        ids = rows.input_ids.astype(np.int64)
        labels = np.full(ids.shape, NO_LABEL, np.int64)
        goes_on = (per_token.segment[:, 1:] == per_token.segment[:, :-1]) & (
            per_token.segment[:, :-1] >= 0
        )
        is_mark, per_token = self._marked(rows, per_token)
        goes_on |= is_mark[:, :-1]
        labels[:, :-1][goes_on] = ids[:, 1:][goes_on]
        has_next = rows.next_token >= 0
        labels[has_next, -1] = rows.next_token[has_next]
        return make_batch(
            rows,
            Tokens(ids, per_token.document, per_token.segment),
            labels=labels,
            segment=per_token.segment,
            positions=per_token.positions,
        )

    def first_tokens(self, rows: PackedRows) -> FirstTokens:
        """First tokens of the documents that no mark precedes: those that fill their row's front."""
        rows = self.with_room_used(rows)
        is_first = _begins_document(rows) & (rows.segment_start == 0)
        return FirstTokens(
            ids=rows.input_ids[rows.segment_row[is_first], 0],
            source=rows.segment_source[is_first],
        )

    def rows_behind_marks(self, first: FirstTokens, *, like: PackedRows) -> PackedRows:
        """Rows of (mark, first token) pairs, as many in a row as fit, each predicted by its mark."""
        width = like.input_ids.shape[1]
        pairs = width // 2
        count = max(1, -(-len(first.ids) // pairs))
        ids = np.full((count, 2 * pairs), self.mark, np.int32)
        ids[:, 1::2].flat[: len(first.ids)] = first.ids
        whole = np.full((count, width), self.mark, np.int32)
        whole[:, : 2 * pairs] = ids
        number = np.arange(len(first.ids), dtype=np.int32)
        # Two segments a pair: the mark is a document of one token, and so is what follows it.
        row, start = number // pairs, 2 * (number % pairs)
        return PackedRows(
            input_ids=whole,
            next_token=np.full(count, -1, np.int32),
            sample_index=np.arange(count, dtype=np.int64),
            segment_row=np.repeat(row, 2),
            segment_start=np.stack((start, start + 1), axis=1).reshape(-1).astype(np.int32),
            segment_length=np.ones(2 * len(number), np.int32),
            segment_source=np.repeat(first.source, 2),
            document_start=np.tile(np.array([1, 0], np.int32), len(number)),
            sources=like.sources,
        )

    def with_room_used(self, rows: PackedRows) -> PackedRows:
        """Rows whose first document begins there move by one, behind a mark, where they have padding.

        The row gains a segment: the mark, which `_marked` then gives to the document.
        """
        length = np.zeros(len(rows.input_ids), np.int64)
        np.maximum.at(length, rows.segment_row, rows.segment_start + rows.segment_length)
        has_room = length < rows.input_ids.shape[1]
        first = np.flatnonzero(_begins_document(rows) & (rows.segment_start == 0))
        first = first[has_room[rows.segment_row[first]]]
        if not len(first):
            return rows
        moved = np.zeros(len(rows.input_ids), np.bool_)
        moved[rows.segment_row[first]] = True
        ids = rows.input_ids.copy()
        ids[moved, 1:] = rows.input_ids[moved, :-1]
        ids[moved, 0] = self.mark
        start = rows.segment_start + moved[rows.segment_row]

        def with_mark(values: Int32s, value: Int32s | int) -> Int32s:
            return np.insert(values, first, value)

        return replace(
            rows,
            input_ids=ids,
            segment_row=with_mark(rows.segment_row, rows.segment_row[first]),
            segment_start=with_mark(start.astype(np.int32), 0),
            segment_length=with_mark(rows.segment_length, 1),
            segment_source=with_mark(rows.segment_source, rows.segment_source[first]),
            document_start=None
            if rows.document_start is None
            else with_mark(rows.document_start, 1),  # the mark begins no document
        )

    def _marked(self, rows: PackedRows, tokens: TokenSegments) -> tuple[Mask, TokenSegments]:
        """Where the marks are [B, T], and the tokens with each mark moved into the next document."""
        row, start = rows.segment_row, rows.segment_start
        before = np.maximum(start - 1, 0)
        marked = (
            _begins_document(rows)
            & (start > 0)
            & (rows.input_ids[row, before] == self.mark)
            & (tokens.segment[row, before] >= 0)
        )
        is_mark = np.zeros(rows.input_ids.shape, np.bool_)
        is_mark[row[marked], before[marked]] = True
        document, segment = tokens.document.copy(), tokens.segment.copy()
        # Padding has segment -1, which the appended entry answers.
        positions = tokens.positions + np.append(marked, False)[segment]
        document[:, :-1][is_mark[:, :-1]] = tokens.document[:, 1:][is_mark[:, :-1]]
        segment[:, :-1][is_mark[:, :-1]] = tokens.segment[:, 1:][is_mark[:, :-1]]
        positions[is_mark] = 0
        return is_mark, TokenSegments(segment, document, positions)


@dataclass(frozen=True, kw_only=True)
class FirstTokens:
    """First tokens of documents: their ids [N], and the indices [N] of their sources."""

    ids: Int32s
    source: Int32s


def _begins_document(rows: PackedRows) -> Mask:
    """Which segments [S] hold the beginning of their document."""
    if rows.document_start is None:
        # Where nothing is known, only a row's first piece may go on a document of another row.
        return rows.segment_start > 0
    begins: Mask = rows.document_start == 0
    return begins
