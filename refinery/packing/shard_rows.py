"""A packed shard: its documents and their cutting in, Arrow row groups and exact counts out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from refinery.packing.config import SPECIAL_TOKENS_OF_A_PAIR, PackingConfig
from refinery.packing.layouts import Segments
from schemas.errors import ContractError
from schemas.rows import NO_TOKEN, ROW_SCHEMA, SEGMENT, row_schema

ROW_ID_DIGITS = 16
NO_CLASS = -100  # what torch's cross-entropy leaves out
Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class ShardForm:
    """What rows of a shard look like.

    Attributes:
        config: Layout, row length, row groups.
        eos: Id put after each document; None where the layout has no end marks.
        pad: Id that fills short rows.
        keep_tail: Pad a short last row instead of leaving it out (held-out split).
        cls: Id before a pair.
        sep: Id behind each half of a pair.
        seed: Seed of the random choices of a layout.
    """

    config: PackingConfig
    eos: int | None
    pad: int
    keep_tail: bool
    cls: int | None = None
    sep: int | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class PackedShard:
    """A shard's documents and their cutting; rows are made when they are written.

    Attributes:
        form: What the rows look like.
        stream: Tokens of all documents.
        lengths: Tokens of each document.
        segments: Which parts of the documents each row holds.
        doc_ids: Id of each document.
        sources: Source of each document.
        copies: Which copy of its document each one is.
        flags: By optional column, one for each token of the stream.
        row_values: By optional column, one number for each row.
        drawn: Segments that repeat tokens which another row has: drawn second halves.
    """

    form: ShardForm
    stream: Tokens
    lengths: npt.NDArray[np.int64]
    segments: Segments
    doc_ids: list[str]
    sources: list[str]
    copies: npt.NDArray[np.int32]
    flags: dict[str, npt.NDArray[Any]]
    row_values: dict[str, npt.NDArray[np.int32]]
    drawn: npt.NDArray[np.int64]

    @property
    def special_tokens_of_a_row(self) -> int:
        """Special tokens that the layout puts into each row, outside of segments."""
        return SPECIAL_TOKENS_OF_A_PAIR if self.form.config.layout == "next_sentence" else 0

    @property
    def schema(self) -> pa.Schema:
        return row_schema(self.form.config.columns)

    @property
    def num_rows(self) -> int:
        return self.segments.num_rows

    def tokens_by_source(self) -> dict[str, int]:
        """Tokens in rows, end marks included, by source."""
        return self._sum_by_source(self.segments.document, self.segments.length)

    def drawn_by_source(self) -> dict[str, int]:
        """Tokens that rows hold a second time, as drawn second halves, by source."""
        parts = self.segments
        return self._sum_by_source(parts.document[self.drawn], parts.length[self.drawn])

    def tokens_in_by_source(self) -> dict[str, int]:
        """Tokens of the collected documents, end marks included, by source."""
        return self._sum_by_source(np.arange(len(self.lengths), dtype=np.int64), self.lengths)

    def dropped_by_source(self) -> dict[str, int]:
        """Tokens that no row holds, by source: counted one by one, as a check of the other sums.

        Raises:
            ContractError: A row holds a token that another one has, or that no document has.
        """
        parts, own = self.segments, np.ones(len(self.segments.length), np.bool_)
        own[self.drawn] = False
        ends_of = np.cumsum(self.lengths)
        begins = (ends_of - self.lengths)[parts.document[own]] + parts.doc_start[own]
        ends = begins + parts.length[own]
        order = np.argsort(begins, kind="stable")
        twice = np.flatnonzero(begins[order][1:] < ends[order][:-1])
        beyond = np.flatnonzero(ends > ends_of[parts.document[own]])
        for faulty, what in ((order[1:][twice], "is in two rows"), (beyond, "is in no document")):
            if len(faulty):
                number = int(np.flatnonzero(own)[faulty[0]])
                name = self.doc_ids[parts.document[number]]
                raise ContractError(
                    f"document {name}: token {parts.doc_start[number]} or one of the "
                    f"{parts.length[number]} from there on {what}"
                )
        documents = np.arange(len(self.lengths), dtype=np.int64)
        left = self.lengths.astype(np.int64)
        np.subtract.at(left, parts.document[own], parts.length[own])
        return self._sum_by_source(documents, left)

    def _sum_by_source(
        self, documents: npt.NDArray[np.int64], amounts: npt.NDArray[np.int64]
    ) -> dict[str, int]:
        names = sorted(set(self.sources))
        codes = np.array([names.index(source) for source in self.sources], np.int64)
        sums = np.zeros(len(names), np.int64)
        np.add.at(sums, codes[documents], amounts)
        return {name: int(total) for name, total in zip(names, sums, strict=True)}

    def row_groups(self) -> Iterator[pa.RecordBatch]:
        """Rows ordered by row_id (a hash of their content), in batches of one row group."""
        bounds = np.searchsorted(self.segments.row, np.arange(self.num_rows + 1))
        offsets = np.concatenate(([0], np.cumsum(self.lengths)))
        ids = [self._row_id(row, bounds, offsets) for row in range(self.num_rows)]
        order = np.array(sorted(range(self.num_rows), key=ids.__getitem__), np.int64)
        for start in range(0, self.num_rows, self.form.config.row_group_rows):
            rows = order[start : start + self.form.config.row_group_rows]
            yield self._row_group(rows, [ids[row] for row in rows], bounds, offsets)

    def _row(
        self, row: int, bounds: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]
    ) -> Tokens:
        """Tokens of a row, padding left out."""
        pieces = [self.stream[span] for span in self._spans(row, bounds, offsets)]
        if self.special_tokens_of_a_row:
            sep = np.array([self.form.sep], np.int32)
            pieces = [np.array([self.form.cls], np.int32), pieces[0], sep, pieces[1], sep]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _spans(
        self, row: int, bounds: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]
    ) -> list[slice]:
        """Where the stream holds the segments of a row."""
        parts = self.segments
        spans = []
        for segment in range(bounds[row], bounds[row + 1]):
            begin = int(offsets[parts.document[segment]] + parts.doc_start[segment])
            spans.append(slice(begin, begin + int(parts.length[segment])))
        return spans

    def _row_id(
        self, row: int, bounds: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]
    ) -> str:
        parts, span = self.segments, slice(bounds[row], bounds[row + 1])
        digest = hashlib.sha256(self._row(row, bounds, offsets).astype("<i4").tobytes())
        documents = parts.document[span]
        for segment, document in enumerate(documents.tolist(), int(span.start)):
            name = f"{self.doc_ids[document]}\x1f{self.copies[document]}"
            digest.update(f"\x1e{name}\x1f{parts.doc_start[segment]}".encode())
        return digest.hexdigest()[:ROW_ID_DIGITS]

    def _row_group(
        self,
        rows: npt.NDArray[np.int64],
        ids: list[str],
        bounds: npt.NDArray[np.int64],
        offsets: npt.NDArray[np.int64],
    ) -> pa.RecordBatch:
        seq_len, parts = self.form.config.seq_len, self.segments
        tokens = np.full((len(rows), seq_len), self.form.pad, np.int32)
        for index, row in enumerate(rows.tolist()):
            content = self._row(row, bounds, offsets)
            tokens[index, : len(content)] = content
        counts = bounds[rows + 1] - bounds[rows]
        starts = np.concatenate(([0], np.cumsum(counts)))
        chosen = np.repeat(bounds[rows] - starts[:-1], counts) + np.arange(starts[-1])
        documents = parts.document[chosen]
        last = bounds[rows + 1] - 1
        values = [
            pa.array([self.doc_ids[d] for d in documents.tolist()], pa.string()),
            pa.array([self.sources[d] for d in documents.tolist()], pa.string()),
            pa.array(self.copies[documents]),
            pa.array(parts.doc_start[chosen].astype(np.int32)),
            pa.array(parts.row_start[chosen].astype(np.int32)),
            pa.array(parts.length[chosen].astype(np.int32)),
        ]
        ends = np.arange(len(rows) + 1, dtype=np.int32) * seq_len
        columns = [
            pa.array(ids, pa.string()),
            _lists(ends, pa.array(tokens.reshape(-1)), "input_ids"),
            _lists(starts, pa.StructArray.from_arrays(values, fields=list(SEGMENT)), "segments"),
            pa.array(self._next_tokens(last, offsets)),
            *self._optional(rows, bounds, offsets),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _optional(
        self,
        rows: npt.NDArray[np.int64],
        bounds: npt.NDArray[np.int64],
        offsets: npt.NDArray[np.int64],
    ) -> Iterator[pa.Array]:
        seq_len, parts = self.form.config.seq_len, self.segments
        ends = np.arange(len(rows) + 1, dtype=np.int32) * seq_len
        for name in self.form.config.columns:
            if name in self.row_values:
                yield pa.array(self.row_values[name][rows])
                continue
            of_stream = self.flags[name]
            empty = NO_CLASS if name == "token_labels" else False
            flags = np.full((len(rows), seq_len), empty, of_stream.dtype)
            for index, row in enumerate(rows.tolist()):
                spans = self._spans(row, bounds, offsets)
                for start, span in zip(
                    parts.row_start[bounds[row] : bounds[row + 1]].tolist(), spans, strict=True
                ):
                    flags[index, start : start + span.stop - span.start] = of_stream[span]
            kind = self.schema.field(name).type
            yield pa.ListArray.from_arrays(pa.array(ends), pa.array(flags.reshape(-1)), type=kind)

    def _next_tokens(
        self, last: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int32]:
        """The token after each row's last segment in its document, or NO_TOKEN at its end."""
        documents = self.segments.document[last]
        end = self.segments.doc_start[last] + self.segments.length[last]
        inside = end < self.lengths[documents]
        offset = np.where(inside, offsets[documents] + end, 0)
        return np.where(inside, self.stream[offset], NO_TOKEN).astype(np.int32)


def _lists(offsets: npt.NDArray[np.integer], values: pa.Array, column: str) -> pa.Array:
    kind = ROW_SCHEMA.field(column).type
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values, type=kind)
