"""Rows of one shard: documents in hash order in, Arrow row groups and exact counts out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from refinery.packing.config import PackingConfig
from refinery.packing.layouts import LAYOUTS, Segments, drop_short_tail
from schemas.rows import NO_TOKEN, ROW_SCHEMA, SEGMENT

ROW_ID_DIGITS = 16
Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class ShardForm:
    """What rows of a shard look like.

    Attributes:
        config: Layout, row length, row groups.
        eos: Id put after each document.
        pad: Id that fills short rows.
        keep_tail: Pad a short last row instead of leaving it out (held-out split).
    """

    config: PackingConfig
    eos: int
    pad: int
    keep_tail: bool


class ShardBuilder:
    """Collect the documents of one shard; memory is its tokens once (4 bytes each) plus names."""

    def __init__(self, form: ShardForm) -> None:
        self._form = form
        self._stream = bytearray()
        self._lengths: list[int] = []
        self._doc_ids: list[str] = []
        self._sources: list[str] = []
        self._copies: list[int] = []

    def add(self, *, doc_id: str, source: str, copy: int, input_ids: Tokens) -> None:
        """Append a document and its end mark."""
        self._stream += np.append(input_ids, self._form.eos).astype(np.int32).tobytes()
        self._lengths.append(len(input_ids) + 1)
        self._doc_ids.append(doc_id)
        self._sources.append(source)
        self._copies.append(copy)

    def finish(self) -> PackedShard:
        """Cut into rows and order them by their ids."""
        config = self._form.config
        lengths = np.array(self._lengths, np.int64)
        segments = LAYOUTS[config.layout](lengths, config.seq_len)
        if config.layout == "concat" and not self._form.keep_tail:
            segments = drop_short_tail(segments, config.seq_len)
        return PackedShard(
            form=self._form,
            stream=np.frombuffer(self._stream, np.int32),
            lengths=lengths,
            segments=segments,
            doc_ids=self._doc_ids,
            sources=self._sources,
            copies=np.array(self._copies, np.int32),
        )


@dataclass(frozen=True, kw_only=True)
class PackedShard:
    """A shard's documents and their cutting; rows are made when they are written."""

    form: ShardForm
    stream: Tokens
    lengths: npt.NDArray[np.int64]
    segments: Segments
    doc_ids: list[str]
    sources: list[str]
    copies: npt.NDArray[np.int32]

    @property
    def num_rows(self) -> int:
        """Rows."""
        return self.segments.num_rows

    def tokens_by_source(self) -> dict[str, int]:
        """Tokens in rows, end marks in, by source."""
        return self._sum_by_source(self.segments.document, self.segments.length)

    def tokens_in_by_source(self) -> dict[str, int]:
        """Tokens that came in, end marks in, by source."""
        return self._sum_by_source(np.arange(len(self.lengths), dtype=np.int64), self.lengths)

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
        parts = self.segments
        pieces = []
        for segment in range(bounds[row], bounds[row + 1]):
            begin = offsets[parts.document[segment]] + parts.doc_start[segment]
            pieces.append(self.stream[begin : begin + parts.length[segment]])
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _row_id(
        self, row: int, bounds: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]
    ) -> str:
        parts, span = self.segments, slice(bounds[row], bounds[row + 1])
        digest = hashlib.sha256(self._row(row, bounds, offsets).astype("<i4").tobytes())
        documents = parts.document[span]
        for place, document in enumerate(documents.tolist()):
            segment = span.start + place
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
        for place, row in enumerate(rows.tolist()):
            content = self._row(row, bounds, offsets)
            tokens[place, : len(content)] = content
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
        ]
        return pa.RecordBatch.from_arrays(columns, schema=ROW_SCHEMA)

    def _next_tokens(
        self, last: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int32]:
        """The token after each row's last segment in its document, or NO_TOKEN at its end."""
        documents = self.segments.document[last]
        end = self.segments.doc_start[last] + self.segments.length[last]
        inside = end < self.lengths[documents]
        place = np.where(inside, offsets[documents] + end, 0)
        return np.where(inside, self.stream[place], NO_TOKEN).astype(np.int32)


def _lists(offsets: npt.NDArray[np.integer], values: pa.Array, column: str) -> pa.Array:
    kind = ROW_SCHEMA.field(column).type
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), values, type=kind)
