"""WordPiece in compiled loops: words cut at spaces and signs, each the longest entries from left to right.

Legend: B bytes, C code points, D documents, T tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from tokenizers import pre_tokenizers

from refinery.compiled import Filled, inner_kernel, kernel
from refinery.text.batch import NUM_CODE_POINTS
from refinery.text.utf8 import Bytes, Offsets, Texts
from refinery.tokenizers.characters import characters_to_ask
from refinery.tokenizers.cutting import LETTER, OTHER, SPACE, UNKNOWN, Kinds, code_at
from refinery.tokenizers.encoded import Encoded
from refinery.tokenizers.piece_table import (
    Ids,
    PieceTable,
    copy_known,
    empty_table,
    hash_piece,
    keep,
)
from refinery.tokenizers.trie import Trie, child_of, node_of, trie_of


class WordPieceArrays(NamedTuple):
    """What a WordPiece model knows.

    Attributes:
        kinds_C: SPACE, OTHER for signs, LETTER for all that make words; UNKNOWN where nobody asked.
        trie: The vocabulary.
        inner_node: Its node from which the entries inside words go out, -1 where there are none.
        unknown_id: The id of a word that no entries make.
        most_characters: Longer words are unknown.
        table: Words seen before.
    """

    kinds_C: Filled[Kinds]
    trie: Trie
    inner_node: int
    unknown_id: int
    most_characters: int
    table: PieceTable


@inner_kernel
def _longest_entries(
    own_B: Bytes, start: int, end: int, arrays: WordPieceArrays, ids_T: Filled[Ids], count: int
) -> int:
    """Write the ids of the word [start, end) behind `count` others; returns how many, 0 where they do not fit."""
    trie = arrays.trie
    found, offset = 0, start
    while offset < end:
        node = 0 if offset == start else arrays.inner_node
        best_id, best_end, behind = -1, offset, offset
        while behind < end and node >= 0:
            node = child_of(trie, node, int(own_B[behind]))
            behind += 1
            if node >= 0 and trie.ids_N[node] >= 0:
                best_id, best_end = int(trie.ids_N[node]), behind
        if best_id < 0:
            return 0
        ids_T[count + found] = best_id
        found += 1
        offset = best_end
    return found


@inner_kernel
def _new_word(
    own_B: Bytes, start: int, end: int, arrays: WordPieceArrays, ids_T: Filled[Ids], count: int
) -> int:
    """Write the ids of a word behind `count` others; returns how many."""
    characters = 0
    for offset in range(start, end):
        characters += own_B[offset] & 0xC0 != 0x80
    found = 0
    if characters <= arrays.most_characters:
        found = _longest_entries(own_B, start, end, arrays, ids_T, count)
    if found == 0:
        ids_T[count] = arrays.unknown_id
        found = 1
    return found


@inner_kernel
def _word_end(own_B: Bytes, start: int, kinds_C: Kinds) -> int:
    """One past the word or sign that begins at `start`."""
    code = code_at(own_B, start)
    end, is_word = start + (code & 7), kinds_C[code >> 3] == LETTER
    while is_word and end < len(own_B):
        code = code_at(own_B, end)
        is_word = kinds_C[code >> 3] == LETTER
        if is_word:
            end += code & 7
    return end


@kernel
def encode_words(
    data_B: Bytes, bounds_D: Offsets, first: int, arrays: WordPieceArrays, ids_T: Filled[Ids],
    ends_D: Filled[Offsets],
) -> int:  # fmt: skip
    """Encode normalised texts from the document `first` on; returns the first with an unknown character.

    Args:
        data_B: UTF-8 of all texts.
        bounds_D: Where each begins.
        first: The document to begin with; ids of those before it are in place.
        arrays: The tokenizer.
        ids_T: Where ids go: room for as many as there are bytes.
        ends_D: Where one past the last id of each document goes: [D + 1], 0 before the first.
    """
    count, table = ends_D[first], arrays.table
    for document in range(first, len(bounds_D) - 1):
        own_B = data_B[bounds_D[document] : bounds_D[document + 1]]
        start = 0
        while start < len(own_B):
            kind = arrays.kinds_C[code_at(own_B, start) >> 3]
            if kind == UNKNOWN:
                return document
            end = _word_end(own_B, start, arrays.kinds_C)
            if kind != SPACE:
                key = hash_piece(own_B, start, end)
                known = copy_known(own_B, start, end, key, table, ids_T, count)
                if known < 0:
                    known = _new_word(own_B, start, end, arrays, ids_T, count)
                    keep(own_B, start, end, key, table, ids_T[count : count + known])
                count += known
            start = end
        ends_D[document + 1] = count
    return len(bounds_D) - 1


class WordPieceModel:
    """Ids of normalised texts by a WordPiece model behind BERT's pre-tokenizer.

    Args:
        model: The part of a `tokenizer.json` of this name.
    """

    def __init__(self, model: Mapping[str, Any]) -> None:
        vocab = model["vocab"]
        trie = trie_of((piece.encode(), number) for piece, number in vocab.items())
        prefix = np.frombuffer(model["continuing_subword_prefix"].encode(), np.uint8)
        self._kinds_C: Kinds = np.zeros(NUM_CODE_POINTS, np.uint8)
        self._arrays = WordPieceArrays(
            self._kinds_C,
            trie,
            int(node_of(trie, prefix, 0, len(prefix))),
            int(vocab[model["unk_token"]]),
            int(model["max_input_chars_per_word"]),
            empty_table(),
        )

    def encode(self, texts: Texts) -> Encoded:
        """Ids of each text."""
        ids_T = np.empty(len(texts.data_B), np.int32)
        ends_D = np.zeros(len(texts.bounds_D), np.int64)
        document, last = 0, len(ends_D) - 1
        while document < last:
            document = encode_words(*texts, document, self._arrays, ids_T, ends_D)
            if document < last:
                self._learn(set(texts.text(document)))
        return Encoded(ids_T[: ends_D[-1]].copy(), ends_D)

    def _learn(self, characters: Iterable[str]) -> None:
        """Ask the pre-tokenizer for the blocks of these characters: each stands between two letters."""
        asked = characters_to_ask(characters, self._kinds_C)
        text = "".join(f"a{character}a " for character in asked)
        begins = np.zeros(len(text), bool)
        for _, (start, _) in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(text):
            begins[start] = True
        codes = np.array([ord(character) for character in asked])
        self._kinds_C[codes] = np.where(begins[1::4], OTHER, np.where(begins[2::4], SPACE, LETTER))
