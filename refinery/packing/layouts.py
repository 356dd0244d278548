"""Layouts: how documents are cut into rows, as arithmetic on their lengths alone.

A layout sees lengths in tokens (end mark included) in the order of the shard and answers with the
segments of each row; the tokens are copied later, by one function for all layouts.

Legend: P pieces of documents, T tokens of a row, R rows, W words of 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from refinery.compiled import Filled, kernel

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

BITS = 64  # of a word


@dataclass(frozen=True)
class Segments:
    """Segments in the order of (row, offset in the row); all arrays have one entry per segment.

    Attributes:
        row: Row that the segment lies in.
        document: Index of its document in the shard.
        doc_start: Offset in the document, in tokens.
        row_start: Offset in the row, in tokens.
        length: Number of its tokens.
        num_rows: Number of rows of the shard.
    """

    row: Ints
    document: Ints
    doc_start: Ints
    row_start: Ints
    length: Ints
    num_rows: int


Layout = Callable[[Ints, int], Segments]


def concat_rows(lengths: Ints, seq_len: int) -> Segments:
    """Cut the concatenation of all documents at multiples of `seq_len`; the last row may be short.

    A long document continues in the next row; nothing is left out.
    """
    starts = np.concatenate(([0], np.cumsum(lengths)))
    total = int(starts[-1])
    cuts = np.arange(0, total, seq_len, dtype=np.int64)
    begin = np.union1d(starts[:-1][lengths > 0], cuts)
    end = np.append(begin[1:], total)[: len(begin)]
    document = np.searchsorted(starts, begin, side="right") - 1
    return Segments(
        row=begin // seq_len,
        document=document,
        doc_start=begin - starts[document],
        row_start=begin % seq_len,
        length=end - begin,
        num_rows=len(cuts),
    )


def document_rows(lengths: Ints, seq_len: int) -> Segments:
    """Start a row with each document; longer ones take further rows, nothing is left out."""
    document, doc_start, length = _pieces(lengths, seq_len)
    rows = np.arange(len(document), dtype=np.int64)
    return Segments(rows, document, doc_start, np.zeros_like(rows), length, len(rows))


def bestfit_rows(lengths: Ints, seq_len: int) -> Segments:
    """Fill rows with whole documents: longest first, each into the fullest row with room.

    Only documents longer than a row are cut, into whole rows and one rest. Source: Ding et al.
    2024, "Fewer Truncations Improve Language Modeling", section 2 (best-fit decreasing).
    """
    document, doc_start, length = _pieces(lengths, seq_len)
    by_length = np.lexsort((doc_start, document, -length))
    row, row_start = np.empty_like(length), np.empty_like(length)
    num_rows = fill_best(length[by_length], by_length, seq_len, row, row_start)
    order = np.lexsort((row_start, row))
    return Segments(
        row[order], document[order], doc_start[order], row_start[order], length[order], num_rows
    )


@kernel
def fill_best(
    sizes_P: Ints, pieces_P: Ints, seq_len: int, row_P: Filled[Ints], row_start_P: Filled[Ints]
) -> int:
    """Give each of these pieces its row and its offset there, in this order; returns the number of rows.

    Of rows with equal room the one that came to it last is filled. `sizes_P` are the pieces' tokens,
    1 to `seq_len`.
    """
    # Bit r is set where some row has room for exactly r more tokens.
    rooms_W = np.zeros(seq_len // BITS + 1, np.uint64)
    last_T = np.full(seq_len + 1, -1, np.int64)  # by room: the row that came to it last
    earlier_R = np.empty(len(sizes_P), np.int64)  # and by row: the one that had come before it
    num_rows = 0
    for index in range(len(sizes_P)):
        size = sizes_P[index]
        room = least_room(rooms_W, size)
        if room < 0:
            row, room, num_rows = num_rows, seq_len, num_rows + 1
        else:
            row = last_T[room]
            last_T[room] = earlier_R[row]
            if last_T[room] < 0:
                rooms_W[room // BITS] ^= np.uint64(1) << np.uint64(room % BITS)
        row_P[pieces_P[index]], row_start_P[pieces_P[index]] = row, seq_len - room
        left = room - size
        if left:
            earlier_R[row], last_T[left] = last_T[left], row
            rooms_W[left // BITS] |= np.uint64(1) << np.uint64(left % BITS)
    return num_rows


@kernel
def least_room(rooms_W: Words, size: int) -> int:
    """The least number from `size` on whose bit is set; -1 where none is."""
    word = size // BITS
    room, bits = size, rooms_W[word] >> np.uint64(size % BITS)
    while bits == 0:
        word += 1
        if word == len(rooms_W):
            return -1
        room, bits = word * BITS, rooms_W[word]
    while bits & np.uint64(1) == 0:
        room, bits = room + 1, bits >> np.uint64(1)
    return room


def _pieces(lengths: Ints, seq_len: int) -> tuple[Ints, Ints, Ints]:
    """Cut each document into pieces of at most a row: (document, offset in it, tokens)."""
    counts = -(-lengths // seq_len)
    document = np.repeat(np.arange(len(lengths), dtype=np.int64), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    doc_start = (np.arange(len(document), dtype=np.int64) - first) * seq_len
    return document, doc_start, np.minimum(seq_len, lengths[document] - doc_start)


LAYOUTS: dict[str, Layout] = {
    "concat": concat_rows,
    "document": document_rows,
    "bestfit": bestfit_rows,
}


def drop_short_tail(segments: Segments, seq_len: int) -> Segments:
    """Leave out the last row where it is not full; only `concat` has such a row."""
    last = segments.row == segments.num_rows - 1
    if segments.num_rows == 0 or int(segments.length[last].sum()) == seq_len:
        return segments
    keep = ~last
    return Segments(
        segments.row[keep],
        segments.document[keep],
        segments.doc_start[keep],
        segments.row_start[keep],
        segments.length[keep],
        segments.num_rows - 1,
    )
