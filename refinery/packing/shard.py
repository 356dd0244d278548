"""Rows of one shard: documents in hash order in, Arrow row groups and exact counts out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from refinery.packing.config import CONTROLS_OF_A_PAIR, PackingConfig
from refinery.packing.layouts import LAYOUTS, Segments, document_rows, drop_short_tail
from refinery.packing.sentences import PairWalk, pair_segments, sentence_rows
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
        seed: Of what a layout draws.
    """

    config: PackingConfig
    eos: int | None
    pad: int
    keep_tail: bool
    cls: int | None = None
    sep: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Answer:
    """What a supervised row knows besides its tokens.

    Attributes:
        target_start: First token of the target.
        class_label: Number of the class.
        token_labels: Those of the first tokens; the others have none.
    """

    target_start: int
    class_label: int
    token_labels: Tokens


class ShardBuilder:
    """Collect the documents of one shard; memory is its tokens once (4 bytes each) plus names."""

    def __init__(self, form: ShardForm) -> None:
        self._form = form
        self._stream = bytearray()
        self._lengths: list[int] = []
        self._doc_ids: list[str] = []
        self._sources: list[str] = []
        self._copies: list[int] = []
        self._answers: list[Answer] = []
        self._token_labels: list[Tokens] = []
        self._starts: dict[str, list[Tokens]] = {name: [] for name in form.config.marks}

    def add(
        self,
        *,
        doc_id: str,
        source: str,
        copy: int,
        input_ids: Tokens,
        starts: Mapping[str, Tokens] | None = None,
        answer: Answer | None = None,
    ) -> None:
        """Append a document and its end mark.

        Args:
            doc_id: Its name.
            source: Its source.
            copy: Number of the copy.
            input_ids: Its tokens.
            starts: By `config.marks`, the tokens at which something begins.
            answer: What the layout `pairs` knows besides.
        """
        eos = self._form.eos
        ids = input_ids if eos is None else np.append(input_ids, eos)
        self._stream += ids.astype(np.int32).tobytes()
        self._lengths.append(len(ids))
        if answer is not None:
            labels = np.full(len(ids), NO_CLASS, np.int32)
            labels[: len(answer.token_labels)] = answer.token_labels
            self._answers.append(answer)
            self._token_labels.append(labels)
        for name, found in self._starts.items():
            found.append((starts or {})[name])
        self._doc_ids.append(doc_id)
        self._sources.append(source)
        self._copies.append(copy)

    def finish(self) -> PackedShard:
        """Cut into rows and order them by their ids."""
        config = self._form.config
        lengths = np.array(self._lengths, np.int64)
        row_values: dict[str, npt.NDArray[np.int32]] = {}
        drawn = np.zeros(0, np.int64)
        match config.layout:
            case "sentences":
                starts = [found.astype(np.int64) for found in self._starts["sentence_starts"]]
                segments = sentence_rows(lengths, starts, config.seq_len)
            case "next_sentence":
                pairs = list(self._walk(lengths).pairs())
                segments = pair_segments(pairs)
                is_next = np.array([pair.is_next for pair in pairs], np.int32)
                second = segments.row_start[1::2].astype(np.int32)
                row_values = {"segment_b_start": second, "is_next": is_next}
                drawn = 2 * np.flatnonzero(is_next == 0) + 1
            case "pairs":
                segments = document_rows(lengths, config.seq_len)
                row_values = {
                    "target_start": np.array([a.target_start for a in self._answers], np.int32),
                    "class_label": np.array([a.class_label for a in self._answers], np.int32),
                }
            case _:
                segments = LAYOUTS[config.layout](lengths, config.seq_len)
        if config.layout == "concat" and not self._form.keep_tail:
            segments = drop_short_tail(segments, config.seq_len)
        return PackedShard(
            row_values=row_values,
            drawn=drawn,
            flags=self._flags(lengths),
            form=self._form,
            stream=np.frombuffer(self._stream, np.int32),
            lengths=lengths,
            segments=segments,
            doc_ids=self._doc_ids,
            sources=self._sources,
            copies=np.array(self._copies, np.int32),
        )

    def _walk(self, lengths: npt.NDArray[np.int64]) -> PairWalk:
        bounds = []
        for length, starts in zip(lengths.tolist(), self._starts["sentence_starts"], strict=True):
            inner = starts[(starts > 0) & (starts < length)].tolist()
            bounds.append([0, *inner, length] if length else [0])
        keys = [f"{d}\x1f{c}" for d, c in zip(self._doc_ids, self._copies, strict=True)]
        return PairWalk(
            sentences=bounds,
            keys=keys,
            seq_len=self._form.config.seq_len,
            short_fraction=self._form.config.short_fraction,
            seed=self._form.seed,
        )

    def _flags(self, lengths: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
        """Per token of the stream, whether a word or sentence begins; end marks are words."""
        firsts = np.cumsum(lengths) - lengths
        found: dict[str, npt.NDArray[Any]] = {}
        if self._token_labels:
            found["token_labels"] = np.concatenate(self._token_labels)
        for name, starts in self._starts.items():
            flags = np.zeros(int(lengths.sum()), np.bool_)
            for first, places in zip(firsts.tolist(), starts, strict=True):
                flags[first + places] = True
            if name == "word_starts" and self._form.eos is not None:
                flags[firsts + lengths - 1] = True
            found[name] = flags
        return found


@dataclass(frozen=True, kw_only=True)
class PackedShard:
    """A shard's documents and their cutting; rows are made when they are written.

    Attributes:
        form: What rows look like.
        stream: Tokens of all documents.
        lengths: Of the documents, in tokens.
        segments: Where they lie.
        doc_ids: Names of the documents.
        sources: Theirs.
        copies: Theirs.
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
    def controls_of_a_row(self) -> int:
        """Control tokens that the layout puts into each row, outside of segments."""
        return CONTROLS_OF_A_PAIR if self.form.config.layout == "next_sentence" else 0

    @property
    def schema(self) -> pa.Schema:
        """Of the rows."""
        return row_schema(self.form.config.columns)

    @property
    def num_rows(self) -> int:
        """Rows."""
        return self.segments.num_rows

    def tokens_by_source(self) -> dict[str, int]:
        """Tokens in rows, end marks in, by source."""
        return self._sum_by_source(self.segments.document, self.segments.length)

    def drawn_by_source(self) -> dict[str, int]:
        """Tokens in rows that are drawn once more, by source."""
        parts = self.segments
        return self._sum_by_source(parts.document[self.drawn], parts.length[self.drawn])

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
        pieces = [self.stream[span] for span in self._spans(row, bounds, offsets)]
        if self.controls_of_a_row:
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
            for place, row in enumerate(rows.tolist()):
                spans = self._spans(row, bounds, offsets)
                for start, span in zip(
                    parts.row_start[bounds[row] : bounds[row + 1]].tolist(), spans, strict=True
                ):
                    flags[place, start : start + span.stop - span.start] = of_stream[span]
            kind = self.schema.field(name).type
            yield pa.ListArray.from_arrays(pa.array(ends), pa.array(flags.reshape(-1)), type=kind)

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
