"""A packed shard: its documents and their cutting in, Arrow row groups and exact counts out."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from refinery.packing.config import SPECIAL_TOKENS_OF_A_PAIR, PackingConfig
from refinery.packing.filling import filled_rows
from refinery.packing.layouts import Ints, Segments
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
        size = self.form.config.row_group_rows
        numbers = np.arange(self.num_rows, dtype=np.int64)
        ids = [
            row_id
            for start in range(0, self.num_rows, size)
            for row_id in self._row_ids(numbers[start : start + size])
        ]
        order = np.array(sorted(range(self.num_rows), key=ids.__getitem__), np.int64)
        for start in range(0, self.num_rows, size):
            rows = order[start : start + size]
            yield self._row_group(rows, [ids[row] for row in rows])

    @functools.cached_property
    def _bounds(self) -> Ints:
        """[rows + 1] the first segment of each row."""
        return np.searchsorted(self.segments.row, np.arange(self.num_rows + 1)).astype(np.int64)

    @functools.cached_property
    def _offsets(self) -> Ints:
        """[documents + 1] the first token of each document in the stream."""
        return np.concatenate(([0], np.cumsum(self.lengths, dtype=np.int64)))

    @functools.cached_property
    def _begins(self) -> Ints:
        """The first token of each segment in the stream."""
        return self._offsets[self.segments.document] + self.segments.doc_start

    def _filled(self, stream: npt.NDArray[Any], rows: Ints, empty: int) -> npt.NDArray[Any]:
        """[rows, seq_len] values of the stream where their tokens lie in the rows."""
        return filled_rows(
            stream,
            rows,
            seq_len=self.form.config.seq_len,
            empty=empty,
            bounds=self._bounds,
            begins=self._begins,
            segments=self.segments,
        )

    def _tokens(self, rows: Ints) -> tuple[npt.NDArray[np.int32], Ints]:
        """[rows, seq_len] the ids of these rows, and how many of each are no padding."""
        parts, last = self.segments, self._bounds[rows + 1] - 1
        ends = parts.row_start[last] + parts.length[last]
        tokens = self._filled(self.stream, rows, self.form.pad)
        if self.special_tokens_of_a_row:
            numbers = np.arange(len(rows))
            tokens[:, 0] = self.form.cls
            tokens[numbers, parts.row_start[last] - 1] = self.form.sep
            tokens[numbers, ends] = self.form.sep
            ends = ends + 1
        return tokens, ends

    def _row_ids(self, rows: Ints) -> Iterator[str]:
        parts = self.segments
        tokens, ends = self._tokens(rows)
        for index, row in enumerate(rows.tolist()):
            digest = hashlib.sha256(tokens[index, : ends[index]].astype("<i4").tobytes())
            for segment in range(self._bounds[row], self._bounds[row + 1]):
                document = parts.document[segment]
                name = f"{self.doc_ids[document]}\x1f{self.copies[document]}"
                digest.update(f"\x1e{name}\x1f{parts.doc_start[segment]}".encode())
            yield digest.hexdigest()[:ROW_ID_DIGITS]

    def _row_group(self, rows: Ints, ids: list[str]) -> pa.RecordBatch:
        parts, bounds = self.segments, self._bounds
        tokens, _ = self._tokens(rows)
        counts = bounds[rows + 1] - bounds[rows]
        starts = np.concatenate(([0], np.cumsum(counts)))
        chosen = np.repeat(bounds[rows] - starts[:-1], counts) + np.arange(starts[-1])
        documents = parts.document[chosen]
        values = [
            pa.array([self.doc_ids[d] for d in documents.tolist()], pa.string()),
            pa.array([self.sources[d] for d in documents.tolist()], pa.string()),
            pa.array(self.copies[documents]),
            pa.array(parts.doc_start[chosen].astype(np.int32)),
            pa.array(parts.row_start[chosen].astype(np.int32)),
            pa.array(parts.length[chosen].astype(np.int32)),
        ]
        ends = np.arange(len(rows) + 1, dtype=np.int32) * self.form.config.seq_len
        columns = [
            pa.array(ids, pa.string()),
            _lists(ends, pa.array(tokens.reshape(-1)), "input_ids"),
            _lists(starts, pa.StructArray.from_arrays(values, fields=list(SEGMENT)), "segments"),
            pa.array(self._next_tokens(bounds[rows + 1] - 1)),
            *self._optional(rows, ends),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _optional(self, rows: Ints, ends: Tokens) -> Iterator[pa.Array]:
        for name in self.form.config.columns:
            if name in self.row_values:
                yield pa.array(self.row_values[name][rows])
                continue
            flags = self._filled(self.flags[name], rows, NO_CLASS if name == "token_labels" else 0)
            kind = self.schema.field(name).type
            yield pa.ListArray.from_arrays(pa.array(ends), pa.array(flags.reshape(-1)), type=kind)

    def _next_tokens(self, last: Ints) -> Tokens:
        """The token after each row's last segment in its document, or NO_TOKEN at its end."""
        documents = self.segments.document[last]
        end = self.segments.doc_start[last] + self.segments.length[last]
        inside = end < self.lengths[documents]
        offset = np.where(inside, self._offsets[documents] + end, 0)
        return np.where(inside, self.stream[offset], NO_TOKEN).astype(np.int32)


def _lists(offsets: npt.NDArray[np.integer], values: pa.Array, column: str) -> pa.Array:
    kind = ROW_SCHEMA.field(column).type
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values, type=kind)
