"""Apply edits to all texts of a batch at once: `apply_edits` for columns, as a kernel over their bytes.

Legend: B bytes of all texts, D documents, E edits in the order in which they are applied, R bytes of replacements.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from refinery.compiled import Filled, kernel
from refinery.text.edits import apply_edits, edits_of
from refinery.text.utf8 import Bytes, Offsets, Texts

_CONTINUATION = 0x80
_TOP_BITS = 0xC0
CharOffsets = NDArray[np.int32]


class SortedEdits(NamedTuple):
    """Edits by document, start and end; their ranks are their indices before they were sorted."""

    bounds_D: Filled[Offsets]
    starts_E: Filled[CharOffsets]
    ends_E: Filled[CharOffsets]
    ranks_E: Filled[Offsets]


def edited(texts: Texts, edits: pa.ListArray) -> Texts:
    """The texts with their edits applied; those of a document stand in the order of the stages that wrote them.

    Args:
        texts: The texts.
        edits: A list of structs (start, end, replacement) for each text, or null; offsets in code points.

    Raises:
        ValueError: An edit reaches beyond its text.
    """
    if edits.null_count == len(edits):
        return texts
    lengths = edits.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    bounds_D = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if not bounds_D[-1]:
        return texts
    spans = edits.flatten()
    starts, ends = (np.asarray(spans.field(name), np.int32) for name in ("start", "end"))
    owners = np.repeat(np.arange(len(lengths)), lengths)
    # Ties of start and end stay in the order of their stages: the sort is stable.
    order = np.lexsort((ends, starts, owners))
    listed = SortedEdits(bounds_D, starts[order], ends[order], order)
    out_B, out_bounds_D = write_edited(*texts, listed, *Texts.of_column(spans.field("replacement")))
    wrong = np.flatnonzero(out_bounds_D < 0)
    if len(wrong):
        document = int(wrong[0]) - 1
        apply_edits(texts.text(document), edits_of(edits[document].as_py()))
        raise ValueError(f"an edit reaches beyond text {document} of its batch")
    return Texts(out_B, out_bounds_D)


@kernel
def write_edited(
    data_B: Bytes, bounds_D: Offsets, edits: SortedEdits, new_R: Bytes, new_bounds: Offsets
) -> tuple[Bytes, Offsets]:
    """Bytes of the edited texts and where each begins; -1 behind the first text that an edit reaches beyond.

    Of edits that overlap, that of the lowest rank says what stands for all of them.

    Args:
        data_B: UTF-8 of the texts.
        bounds_D: Where each begins.
        edits: What is replaced.
        new_R: UTF-8 of the replacements, by rank.
        new_bounds: Where each begins.
    """
    edit_bounds_D, starts_E, ends_E = edits.bounds_D, edits.starts_E, edits.ends_E
    ranks_E = edits.ranks_E
    out_B = np.empty(len(data_B) + len(new_R), np.uint8)
    out_bounds_D = np.zeros(len(bounds_D), np.int64)
    written = 0
    for document in range(len(bounds_D) - 1):
        own_B = data_B[bounds_D[document] : bounds_D[document + 1]]
        offset = character = 0
        edit, last_edit = edit_bounds_D[document], edit_bounds_D[document + 1]
        while edit < last_edit:
            start, end, rank = starts_E[edit], ends_E[edit], ranks_E[edit]
            edit += 1
            while edit < last_edit and starts_E[edit] < end:
                end, rank = max(end, ends_E[edit]), min(rank, ranks_E[edit])
                edit += 1
            while offset < len(own_B) and (
                character < start or own_B[offset] & _TOP_BITS == _CONTINUATION
            ):
                character += own_B[offset] & _TOP_BITS != _CONTINUATION
                out_B[written] = own_B[offset]
                written += 1
                offset += 1
            is_beyond = character < start
            for index in range(new_bounds[rank], new_bounds[rank + 1]):
                out_B[written] = new_R[index]
                written += 1
            while offset < len(own_B) and (
                character < end or own_B[offset] & _TOP_BITS == _CONTINUATION
            ):
                character += own_B[offset] & _TOP_BITS != _CONTINUATION
                offset += 1
            if is_beyond or character < end or start < 0 or end < start:
                out_bounds_D[document + 1] = -1
                return out_B[:0].copy(), out_bounds_D
        for index in range(offset, len(own_B)):
            out_B[written] = own_B[index]
            written += 1
        out_bounds_D[document + 1] = written
    return out_B[:written].copy(), out_bounds_D
