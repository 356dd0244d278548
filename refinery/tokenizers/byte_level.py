"""Byte-level BPE in compiled loops: cut into pieces, look each up, merge those that are new.

Legend: B bytes, C code points, D documents, M slots of the merges, T tokens, V entries of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from refinery.compiled import Filled, inner_kernel, kernel
from refinery.text.utf8 import Bytes, Offsets, Texts
from refinery.tokenizers.byte_characters import byte_characters, piece_bytes
from refinery.tokenizers.characters import CharacterKinds
from refinery.tokenizers.cutting import Kinds, mark_kinds, piece_end
from refinery.tokenizers.encoded import Encoded
from refinery.tokenizers.merging import Scratch, merge_symbols, merge_table
from refinery.tokenizers.piece_table import (
    Ids,
    Keys,
    PieceTable,
    copy_known,
    empty_table,
    hash_piece,
    keep,
)
from refinery.tokenizers.trie import Trie, node_of, trie_of


class ByteLevelArrays(NamedTuple):
    """What a byte-level BPE knows.

    Attributes:
        kinds_C: `CharacterKinds.kinds_C`.
        byte_ids: [256] the id of each byte, -1 for one that the vocabulary leaves out.
        merges_M: `merge_table`.
        whole: Entries that a piece becomes without merging.
        table: Pieces seen before.
    """

    kinds_C: Filled[Kinds]
    byte_ids: Filled[Ids]
    merges_M: Filled[Keys]
    whole: Trie
    table: PieceTable


@inner_kernel
def _new_piece(
    own_B: Bytes, start: int, end: int, arrays: ByteLevelArrays, scratch: Scratch,
    ids_T: Filled[Ids], count: int,
) -> int:  # fmt: skip
    """Write the ids of a piece behind `count` others; returns how many."""
    node = node_of(arrays.whole, own_B, start, end)
    if node >= 0 and arrays.whole.ids_N[node] >= 0:
        ids_T[count] = arrays.whole.ids_N[node]
        return 1
    symbols = 0
    for offset in range(start, end):
        byte_id = arrays.byte_ids[own_B[offset]]
        if byte_id >= 0:
            scratch.symbols_N[symbols] = byte_id
            symbols += 1
    return merge_symbols(arrays.merges_M, scratch, symbols, ids_T, count)


@kernel
def encode_byte_level(
    data_B: Bytes, bounds_D: Offsets, first: int, numbers: int, arrays: ByteLevelArrays,
    ids_T: Filled[Ids], ends_D: Filled[Offsets],
) -> int:  # fmt: skip
    """Encode texts from the document `first` on; returns the first one that has an unknown character.

    Args:
        data_B: UTF-8 of all texts.
        bounds_D: Where each begins.
        first: The document to begin with; ids of those before it are in place.
        numbers: Which pattern cuts: a value of `PATTERNS`.
        arrays: The tokenizer.
        ids_T: Where ids go: room for as many as there are bytes.
        ends_D: Where one past the last id of each document goes: [D + 1], 0 before the first.
    """
    table = arrays.table
    longest = 0
    for document in range(first, len(bounds_D) - 1):
        longest = max(longest, bounds_D[document + 1] - bounds_D[document])
    kinds_B = np.empty(longest, np.uint8)
    scratch = Scratch(
        np.empty(longest, np.int32), np.empty(longest, np.uint64), np.empty(longest, np.int32),
        np.empty(longest, np.int32), np.empty(3 * longest, np.uint64),
    )  # fmt: skip
    count = ends_D[first]
    for document in range(first, len(bounds_D) - 1):
        own_B = data_B[bounds_D[document] : bounds_D[document + 1]]
        if not mark_kinds(own_B, arrays.kinds_C, kinds_B):
            return document
        start = 0
        while start < len(own_B):
            end = piece_end(own_B, kinds_B, start, numbers)
            key = hash_piece(own_B, start, end)
            known = copy_known(own_B, start, end, key, table, ids_T, count)
            if known < 0:
                known = _new_piece(own_B, start, end, arrays, scratch, ids_T, count)
                keep(own_B, start, end, key, table, ids_T[count : count + known])
            count += known
            start = end
        ends_D[document + 1] = count
    return len(bounds_D) - 1


@kernel
def spelled_ends(
    data_B: Bytes, bounds_D: Offsets, ids_T: Ids, id_bounds_D: Offsets, sizes_V: Ids,
    ends_T: Filled[Offsets], is_spelled_D: Filled[Kinds],
) -> None:  # fmt: skip
    """One past the last code point of each token, of documents whose ids spell as many bytes as they have."""
    for document in range(len(bounds_D) - 1):
        own_B = data_B[bounds_D[document] : bounds_D[document + 1]]
        offset = characters = 0
        for token in range(id_bounds_D[document], id_bounds_D[document + 1]):
            for _ in range(sizes_V[ids_T[token]]):
                if offset < len(own_B) and own_B[offset] & 0xC0 != 0x80:
                    characters += 1
                offset += 1
            ends_T[token] = characters
        is_spelled_D[document] = offset == len(own_B)


class ByteLevelModel:
    """Ids of texts by a byte-level BPE; its table of pieces grows with what it sees, up to a bound.

    Args:
        model: The part of a `tokenizer.json` of this name.
        numbers: Which pattern cuts: a value of `PATTERNS`.
    """

    def __init__(self, model: Mapping[str, Any], numbers: int) -> None:
        vocab = model["vocab"]
        self._numbers = numbers
        self._kinds = CharacterKinds()
        byte_ids = np.full(256, -1, np.int32)
        for byte, character in byte_characters().items():
            byte_ids[byte] = vocab.get(character, -1)
        entries = vocab.items() if model.get("ignore_merges") else ()
        spelled = ((piece_bytes(piece), number) for piece, number in entries)
        self._arrays = ByteLevelArrays(
            self._kinds.kinds_C,
            byte_ids,
            merge_table(listed_merges(model)),
            trie_of((data, number) for data, number in spelled if data is not None),
            empty_table(),
        )

    def encode(self, texts: Texts) -> Encoded:
        """Ids of each text."""
        ids_T = np.empty(len(texts.data_B), np.int32)
        ends_D = np.zeros(len(texts.bounds_D), np.int64)
        document, last = 0, len(ends_D) - 1
        while document < last:
            document = encode_byte_level(
                *texts, document, self._numbers, self._arrays, ids_T, ends_D
            )
            if document < last:
                self._kinds.learn(set(texts.text(document)))
        return Encoded(ids_T[: ends_D[-1]].copy(), ends_D)


def listed_merges(model: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    """Merges of a BPE as ids: left, right, and what they become; best first."""
    vocab = model["vocab"]
    pairs = (tuple(m.split(" ", 1)) if isinstance(m, str) else tuple(m) for m in model["merges"])
    return [(vocab[left], vocab[right], vocab[left + right]) for left, right in pairs]
