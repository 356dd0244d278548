"""Documents to rows: concatenate, cut, permute; pure numpy and Arrow.

Legend: N tokens of the stream, M documents, R rows, S segments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from refinery.text_batch import mix
from schemas.rows import NO_TOKEN, ROW_SCHEMA, SEGMENT

PACKING_VERSION = 1

Layout = Literal["concat", "document"]
Int32s = NDArray[np.int32]
Int64s = NDArray[np.int64]


@dataclass(frozen=True)
class DocumentTokens:
    """One copy of a document, without its end mark."""

    doc_id: str
    source: str
    copy: int
    ids: Int32s


@dataclass(frozen=True)
class Packed:
    """Rows of one shard and their account: tokens_in = packed + dropped."""

    rows: pa.RecordBatch
    tokens_in: int
    packed: int
    dropped: int
    padding: int
    tokens_by_source: dict[str, int]


@dataclass(frozen=True)
class _Segments:
    """[S] document, row, and bounds in the stream of each segment."""

    document: Int64s
    row: Int64s
    start: Int64s
    end: Int64s
    row_start: Int64s


def pack(
    documents: Sequence[DocumentTokens],
    *,
    seq_len: int,
    layout: Layout,
    eos: int,
    pad: int,
    pad_last: bool,
    seed: int,
) -> Packed:
    """Pack documents in the order given; rows come out permuted by a hash of their number.

    Args:
        documents: In the shard's order.
        seq_len: Tokens per row.
        layout: `concat` cuts the stream of all documents; `document` starts a row for each.
        eos: Follows every document.
        pad: Fills rows.
        pad_last: Pad the last row of a stream instead of dropping its tail.
        seed: Of the permutation.
    """
    lengths = np.array([len(d.ids) + 1 for d in documents], np.int64)
    starts = np.concatenate(([0], np.cumsum(lengths)))
    end_mark = np.array([eos], np.int32)
    pieces = [piece for document in documents for piece in (document.ids, end_mark)]
    stream = np.concatenate([np.zeros(0, np.int32), *pieces])
    if layout == "concat":
        num_rows = -(-len(stream) // seq_len) if pad_last else len(stream) // seq_len
        segments = _cut_stream(starts, num_rows, seq_len)
    else:
        segments = _cut_documents(starts, seq_len)
        num_rows = int(segments.row[-1]) + 1 if len(segments.row) else 0
    ids = np.full((num_rows, seq_len), pad, np.int32)
    lengths_of = segments.end - segments.start
    place = np.arange(int(lengths_of.sum())) - np.repeat(np.cumsum(lengths_of) - lengths_of, lengths_of)
    ids[
        np.repeat(segments.row, lengths_of), np.repeat(segments.row_start, lengths_of) + place
    ] = stream[np.repeat(segments.start, lengths_of) + place]
    packed = int(lengths_of.sum())
    return Packed(
        rows=_to_arrow(ids, segments, documents, starts, stream, _permutation(num_rows, seed)),
        tokens_in=len(stream),
        packed=packed,
        dropped=len(stream) - packed,
        padding=num_rows * seq_len - packed,
        tokens_by_source=_by_source(documents, segments),
    )


def _cut_stream(starts: Int64s, num_rows: int, seq_len: int) -> _Segments:
    """Cut at row borders and at document borders; what lies behind the last row is left out."""
    end = min(int(starts[-1]), num_rows * seq_len)
    cuts = np.union1d(starts, np.arange(num_rows + 1) * seq_len)
    cuts = cuts[cuts <= end]
    if len(cuts) < 2:
        none = np.zeros(0, np.int64)
        return _Segments(none, none, none, none, none)
    start, stop = cuts[:-1], cuts[1:]
    document = np.searchsorted(starts, start, side="right") - 1
    return _Segments(document, start // seq_len, start, stop, start % seq_len)


def _cut_documents(starts: Int64s, seq_len: int) -> _Segments:
    """Rows of their own for each document, as many as it needs."""
    lengths = np.diff(starts)
    rows_of = -(-lengths // seq_len)
    document = np.repeat(np.arange(len(lengths)), rows_of)
    within = np.arange(len(document)) - np.repeat(np.cumsum(rows_of) - rows_of, rows_of)
    start = starts[document] + within * seq_len
    stop = np.minimum(start + seq_len, starts[document + 1])
    row = np.arange(len(document))
    return _Segments(document, row, start, stop, np.zeros(len(document), np.int64))


def _permutation(num_rows: int, seed: int) -> Int64s:
    keys = mix(np.arange(num_rows, dtype=np.uint64) + mix(np.array([seed], np.uint64)))
    return np.argsort(keys, kind="stable")


def _by_source(documents: Sequence[DocumentTokens], segments: _Segments) -> dict[str, int]:
    totals: dict[str, int] = {}
    lengths = np.bincount(
        segments.document, weights=segments.end - segments.start, minlength=len(documents)
    )
    for document, length in zip(documents, lengths, strict=True):
        if length:
            totals[document.source] = totals.get(document.source, 0) + int(length)
    return dict(sorted(totals.items()))


def _to_arrow(
    ids: Int32s,
    segments: _Segments,
    documents: Sequence[DocumentTokens],
    starts: Int64s,
    stream: Int32s,
    order: Int64s,
) -> pa.RecordBatch:
    num_rows, seq_len = ids.shape
    firsts = np.searchsorted(segments.row, order, side="left")
    lasts = np.searchsorted(segments.row, order, side="right")
    counts = lasts - firsts
    chosen = np.repeat(firsts, counts) + (
        np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    )
    of = segments.document[chosen]
    fields = [
        pa.array([documents[i].doc_id for i in of], pa.string()),
        pa.array([documents[i].source for i in of], pa.string()),
        pa.array([documents[i].copy for i in of], pa.int32()),
        pa.array((segments.start[chosen] - starts[of]).astype(np.int32)),
        pa.array(segments.row_start[chosen].astype(np.int32)),
        pa.array((segments.end[chosen] - segments.start[chosen]).astype(np.int32)),
    ]
    flat = pa.StructArray.from_arrays(fields, fields=list(SEGMENT))
    offsets = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    rows_segments = pa.ListArray.from_arrays(
        pa.array(offsets), flat, type=ROW_SCHEMA.field("segments").type
    )
    ordered = ids[order]
    rows_ids = pa.ListArray.from_arrays(
        pa.array(np.arange(num_rows + 1, dtype=np.int32) * seq_len),
        pa.array(ordered.reshape(-1)),
        type=ROW_SCHEMA.field("input_ids").type,
    )
    following = _next_tokens(segments, starts, stream, num_rows)[order]
    names = [
        _row_id(ordered[row].tobytes(), [documents[i] for i in of[offsets[row] : offsets[row + 1]]],
                (segments.start - starts[segments.document])[firsts[row] : lasts[row]])
        for row in range(num_rows)
    ]
    return pa.RecordBatch.from_arrays(
        [pa.array(names, pa.string()), rows_ids, rows_segments, pa.array(following)],
        schema=ROW_SCHEMA,
    )


def _next_tokens(segments: _Segments, starts: Int64s, stream: Int32s, num_rows: int) -> Int32s:
    """The token after each row in its document; NO_TOKEN where the document ends with the row."""
    following = np.full(num_rows, NO_TOKEN, np.int32)
    if len(segments.row):
        last = np.flatnonzero(np.append(segments.row[1:] != segments.row[:-1], True))  # noqa: FBT003
        goes_on = segments.end[last] < starts[segments.document[last] + 1]
        following[segments.row[last[goes_on]]] = stream[segments.end[last[goes_on]]]
    return following


def _row_id(ids: bytes, documents: Sequence[DocumentTokens], offsets: Int64s) -> str:
    digest = hashlib.sha256(ids)
    for document, offset in zip(documents, offsets, strict=True):
        digest.update(f"{document.doc_id}:{document.copy}:{offset};".encode())
    return digest.hexdigest()[:16]
