"""BPE over the characters of a text, as LLaMA's SentencePiece model has it, in compiled loops.

Nothing cuts such a text into words: the whole of it is one piece. But no merge ever joins two characters
that stand side by side in no entry of the vocabulary; cutting between them changes no id, and what is
left between two cuts is mostly a word, which repeats.

Legend: B bytes, C code points, D documents, M slots of the merges, T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from refinery.compiled import Filled, inner_kernel, kernel
from refinery.text.batch import NUM_CODE_POINTS
from refinery.text.utf8 import Bytes, Offsets, Texts
from refinery.tokenizers.byte_level import listed_merges
from refinery.tokenizers.cutting import code_at
from refinery.tokenizers.encoded import Encoded
from refinery.tokenizers.merging import Scratch, merge_of, merge_symbols, merge_table
from refinery.tokenizers.piece_table import (
    Ids,
    Keys,
    PieceTable,
    copy_known,
    empty_table,
    hash_piece,
    keep,
)

_NONE = np.uint64(0xFFFFFFFFFFFFFFFF)


class CharacterBpeArrays(NamedTuple):
    """What a BPE over characters knows.

    Attributes:
        numbers_C: One more than the id of each character, 0 for one that is written in bytes.
        byte_ids: [256] the id of each byte.
        neighbours_M: `merge_table` of characters that stand side by side in an entry.
        merges_M: `merge_table`.
        table: Pieces seen before.
    """

    numbers_C: Filled[Ids]
    byte_ids: Filled[Ids]
    neighbours_M: Filled[Keys]
    merges_M: Filled[Keys]
    table: PieceTable


@inner_kernel
def _end_of_piece(own_B: Bytes, start: int, neighbours_M: Keys) -> int:
    """The first offset behind `start` over which no merge reaches."""
    code = code_at(own_B, start)
    end = start + (code & 7)
    while end < len(own_B):
        after = code_at(own_B, end)
        if merge_of(neighbours_M, code >> 3, after >> 3) == _NONE:
            break
        end += after & 7
        code = after
    return end


@inner_kernel
def _new_piece(
    own_B: Bytes, start: int, end: int, arrays: CharacterBpeArrays, scratch: Scratch,
    ids_T: Filled[Ids], count: int,
) -> int:  # fmt: skip
    """Write the ids of a piece behind `count` others; returns how many."""
    symbols, offset = 0, start
    while offset < end:
        code = code_at(own_B, offset)
        number = arrays.numbers_C[code >> 3]
        for byte in range(offset, offset + (code & 7)):
            if number == 0:
                scratch.symbols_N[symbols] = arrays.byte_ids[own_B[byte]]
                symbols += 1
        if number > 0:
            scratch.symbols_N[symbols] = number - 1
            symbols += 1
        offset += code & 7
    return merge_symbols(arrays.merges_M, scratch, symbols, ids_T, count)


@kernel
def encode_characters(
    data_B: Bytes, bounds_D: Offsets, arrays: CharacterBpeArrays, ids_T: Filled[Ids], ends_D: Filled[Offsets]
) -> None:  # fmt: skip
    """Encode normalised texts.

    Args:
        data_B: UTF-8 of all texts.
        bounds_D: Where each begins.
        arrays: The tokenizer.
        ids_T: Where ids go: room for as many as there are bytes.
        ends_D: Where one past the last id of each document goes: [D + 1].
    """
    table = arrays.table
    longest = 0
    for document in range(len(bounds_D) - 1):
        longest = max(longest, bounds_D[document + 1] - bounds_D[document])
    scratch = Scratch(
        np.empty(longest, np.int32), np.empty(longest, np.uint64), np.empty(longest, np.int32),
        np.empty(longest, np.int32), np.empty(3 * longest, np.uint64),
    )  # fmt: skip
    count = 0
    ends_D[0] = 0
    for document in range(len(bounds_D) - 1):
        own_B = data_B[bounds_D[document] : bounds_D[document + 1]]
        start = 0
        while start < len(own_B):
            end = _end_of_piece(own_B, start, arrays.neighbours_M)
            key = hash_piece(own_B, start, end)
            known = copy_known(own_B, start, end, key, table, ids_T, count)
            if known < 0:
                known = _new_piece(own_B, start, end, arrays, scratch, ids_T, count)
                keep(own_B, start, end, key, table, ids_T[count : count + known])
            count += known
            start = end
        ends_D[document + 1] = count


def byte_ids_of(vocab: Mapping[str, int]) -> Ids | None:
    """[256] ids of <0x00> to <0xFF>; None where one of them is missing."""
    ids = [vocab.get(f"<0x{byte:02X}>", -1) for byte in range(256)]
    return np.array(ids, np.int32) if min(ids) >= 0 else None


class CharacterBpeModel:
    """Ids of normalised texts by a BPE over characters that writes unknown ones in bytes.

    Args:
        model: The part of a `tokenizer.json` of this name; it has `byte_fallback` and all 256 bytes.
    """

    def __init__(self, model: Mapping[str, Any]) -> None:
        vocab = model["vocab"]
        byte_ids = byte_ids_of(vocab)
        assert byte_ids is not None
        numbers_C = np.zeros(NUM_CODE_POINTS, np.int32)
        neighbours: set[tuple[int, int, int]] = set()
        for piece, number in vocab.items():
            if len(piece) == 1:
                numbers_C[ord(piece)] = number + 1
            neighbours.update((ord(left), ord(right), 0) for left, right in pairwise(piece))
        self._arrays = CharacterBpeArrays(
            numbers_C,
            byte_ids,
            merge_table(sorted(neighbours)),
            merge_table(listed_merges(model)),
            empty_table(),
        )

    def encode(self, texts: Texts) -> Encoded:
        """Ids of each text."""
        ids_T = np.empty(len(texts.data_B), np.int32)
        ends_D = np.empty(len(texts.bounds_D), np.int64)
        encode_characters(*texts, self._arrays, ids_T, ends_D)
        return Encoded(ids_T[: ends_D[-1]].copy(), ends_D)
