"""Unigram models (T5, ALBERT) in compiled loops: the best path through a text's possible tokens.

Scores are added in the library's order, and of paths with equal scores the first one stays, so the ids are
the same to the bit. Where a pre-tokenizer cuts before each mark, words are looked up.

Legend: B bytes, D documents, T tokens, V entries of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, inner_kernel, kernel
from refinery.text.utf8 import Bytes, Offsets, Texts
from refinery.tokenizers.cutting import code_at
from refinery.tokenizers.encoded import Encoded
from refinery.tokenizers.piece_table import (
    Ids,
    PieceTable,
    copy_known,
    empty_table,
    hash_piece,
    keep,
    no_table,
)
from refinery.tokenizers.sentencepiece_bpe import byte_ids_of
from refinery.tokenizers.trie import Trie, child_of, node_of, trie_of

Scores = NDArray[np.float64]
_MARK = 0x2581
# By how much an unknown character is less likely than the least likely entry (SentencePiece: kUnkPenalty).
_UNKNOWN_PENALTY = 10.0


class Paths(NamedTuple):
    """For each byte where a token may end: the best score, where that token begins, and its id."""

    scores_B: Filled[Scores]
    starts_B: Filled[Ids]
    ids_B: Filled[Ids]


class Vocabulary(NamedTuple):
    """Entries and their scores.

    Attributes:
        trie: The entries.
        scores_V: Their scores.
        byte_ids: [256] the ids of bytes; empty where unknown characters are not written in bytes.
        unknown_id: The id of a character that the vocabulary does not have.
        unknown_score: Its score.
    """

    trie: Trie
    scores_V: Filled[Scores]
    byte_ids: Filled[Ids]
    unknown_id: int
    unknown_score: float


@inner_kernel
def best_path(
    own_B: Bytes, start: int, end: int, vocabulary: Vocabulary, paths: Paths, ids_T: Filled[Ids], count: int
) -> int:  # fmt: skip
    """Write the ids of the piece [start, end) behind `count` others; returns how many."""
    scores_B, starts_B, ids_B = paths.scores_B, paths.starts_B, paths.ids_B
    size = end - start
    for offset in range(size + 1):
        starts_B[offset] = -1
    scores_B[0] = 0.0
    offset = 0
    while offset < size:
        so_far = scores_B[offset]
        width = code_at(own_B, start + offset) & 7
        has_single = False
        node, behind = 0, offset
        while behind < size:
            node = child_of(vocabulary.trie, node, int(own_B[start + behind]))
            if node < 0:
                break
            behind += 1
            token = vocabulary.trie.ids_N[node]
            if token >= 0:
                score = vocabulary.scores_V[token] + so_far
                if starts_B[behind] < 0 or score > scores_B[behind]:
                    scores_B[behind], starts_B[behind], ids_B[behind] = score, offset, token
                has_single = has_single or behind - offset == width
        if not has_single:
            behind = offset + width
            score = vocabulary.unknown_score + so_far
            if starts_B[behind] < 0 or score > scores_B[behind]:
                scores_B[behind], starts_B[behind] = score, offset
                ids_B[behind] = vocabulary.unknown_id
        offset += width
    return _write_path(own_B[start:end], vocabulary, paths, ids_T, count)


@inner_kernel
def _write_path(
    piece_B: Bytes, vocabulary: Vocabulary, paths: Paths, ids_T: Filled[Ids], count: int
) -> int:
    """Write the best path backwards and turn it round; returns how many ids it has.

    Unknown characters in a row are one token: the entry that they spell (the unknown token's own name),
    else their bytes or the unknown token.
    """
    found, offset = 0, len(piece_B)
    while offset > 0:
        token, before = int(paths.ids_B[offset]), int(paths.starts_B[offset])
        if token == vocabulary.unknown_id:
            while before > 0 and paths.ids_B[before] == token:
                before = int(paths.starts_B[before])
            node = node_of(vocabulary.trie, piece_B, before, offset)
            is_spelled = node >= 0 and vocabulary.trie.ids_N[node] >= 0
            if is_spelled:
                token = int(vocabulary.trie.ids_N[node])
            elif len(vocabulary.byte_ids) == 256:
                for byte in range(offset - 1, before, -1):
                    ids_T[count + found] = vocabulary.byte_ids[piece_B[byte]]
                    found += 1
                token = int(vocabulary.byte_ids[piece_B[before]])
        ids_T[count + found] = token
        found += 1
        offset = before
    for index in range(found // 2):
        other = count + found - 1 - index
        ids_T[count + index], ids_T[other] = ids_T[other], ids_T[count + index]
    return found


@inner_kernel
def _word_end(own_B: Bytes, start: int) -> int:
    """The next mark behind `start`, or the end."""
    end = start + (code_at(own_B, start) & 7)
    while end < len(own_B):
        code = code_at(own_B, end)
        if code >> 3 == _MARK:
            break
        end += code & 7
    return end


@kernel
def encode_unigram(
    data_B: Bytes, bounds_D: Offsets, vocabulary: Vocabulary, words: PieceTable, ids_T: Filled[Ids],
    ends_D: Filled[Offsets],
) -> None:  # fmt: skip
    """Encode normalised texts, cut before each mark, or each as one piece where `words` has no room for any.

    Args:
        data_B: UTF-8 of all texts.
        bounds_D: Where each begins.
        vocabulary: The entries.
        words: Words seen before.
        ids_T: Where ids go: room for as many as there are bytes.
        ends_D: Where one past the last id of each document goes: [D + 1].
    """
    longest = 0
    for document in range(len(bounds_D) - 1):
        longest = max(longest, bounds_D[document + 1] - bounds_D[document])
    paths = Paths(
        np.empty(longest + 1, np.float64), np.empty(longest + 1, np.int32),
        np.empty(longest + 1, np.int32),
    )  # fmt: skip
    count = 0
    ends_D[0] = 0
    for document in range(len(bounds_D) - 1):
        own_B = data_B[bounds_D[document] : bounds_D[document + 1]]
        start = 0
        if len(words.keys_S) == 0:
            count += best_path(own_B, 0, len(own_B), vocabulary, paths, ids_T, count)
            start = len(own_B)
        while start < len(own_B):
            end = _word_end(own_B, start)
            key = hash_piece(own_B, start, end)
            known = copy_known(own_B, start, end, key, words, ids_T, count)
            if known < 0:
                known = best_path(own_B, start, end, vocabulary, paths, ids_T, count)
                keep(own_B, start, end, key, words, ids_T[count : count + known])
            count += known
            start = end
        ends_D[document + 1] = count


class UnigramModel:
    """Ids of normalised texts by a Unigram model.

    Args:
        model: The part of a `tokenizer.json` of this name.
        cuts_words: Whether a pre-tokenizer cuts before each mark.
    """

    def __init__(self, model: Mapping[str, Any], *, cuts_words: bool) -> None:
        vocab = {piece: number for number, (piece, _) in enumerate(model["vocab"])}
        scores = np.array([score for _, score in model["vocab"]], np.float64)
        byte_ids = byte_ids_of(vocab) if model.get("byte_fallback") else np.zeros(0, np.int32)
        assert byte_ids is not None
        entries = ((piece.encode(), number) for piece, number in vocab.items())
        unknown_score = float(scores.min()) - _UNKNOWN_PENALTY
        self._vocabulary = Vocabulary(
            trie_of(entries), scores, byte_ids, int(model["unk_id"]), unknown_score
        )
        self._words = empty_table() if cuts_words else no_table()

    def encode(self, texts: Texts) -> Encoded:
        """Ids of each text."""
        ids_T = np.empty(len(texts.data_B), np.int32)
        ends_D = np.empty(len(texts.bounds_D), np.int64)
        encode_unigram(*texts, self._vocabulary, self._words, ids_T, ends_D)
        return Encoded(ids_T[: ends_D[-1]].copy(), ends_D)
