"""Merges, tables, tries and paths of the encoders against plain Python, and against broken bytes."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest

from refinery.text.utf8 import Texts
from refinery.tokenizers.byte_characters import byte_characters, to_byte_piece
from refinery.tokenizers.byte_level import ByteLevelModel, encode_byte_level, spelled_ends
from refinery.tokenizers.cutting import OTHER, code_at
from refinery.tokenizers.merging import merge_of, merge_table
from refinery.tokenizers.piece_table import empty_table
from refinery.tokenizers.unigram import UnigramModel

WORDS = ("the", "there", "then", "hen", "aaaa", "aa", " the", "今天", "天天")


def _model(*, ignore_merges: bool = False) -> dict[str, Any]:
    """A small BPE whose merges are random pairs that make parts of words."""
    generator = random.Random(7)
    vocab = {character: byte for byte, character in byte_characters().items()}
    merges: list[list[str]] = []
    for _ in range(120):
        word = to_byte_piece(generator.choice(WORDS))
        first, cut, last = sorted(generator.choices(range(len(word) + 1), k=3))
        left, right = word[first:cut], word[cut:last]
        if left in vocab and right in vocab and [left, right] not in merges:
            merges.append([left, right])
            vocab.setdefault(left + right, len(vocab))
    if ignore_merges:
        vocab.setdefault(to_byte_piece("there"), len(vocab))
    return {"vocab": vocab, "merges": merges, "ignore_merges": ignore_merges}


def _plain_merge(model: dict[str, Any], piece: str) -> list[int]:
    ranks = {tuple(pair): rank for rank, pair in enumerate(model["merges"])}
    if model["ignore_merges"] and piece in model["vocab"]:
        return [model["vocab"][piece]]
    parts = list(piece)
    while True:
        found = [(ranks[p], i) for i, p in enumerate(itertools.pairwise(parts)) if p in ranks]
        if not found:
            return [model["vocab"][part] for part in parts]
        _, at = min(found)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


@pytest.mark.parametrize("ignore_merges", [False, True])
def test_pieces_are_merged_as_plain_python_merges_them(*, ignore_merges: bool) -> None:
    model = _model(ignore_merges=ignore_merges)
    generator = random.Random(2)
    pieces = ["".join(generator.choices(("the", "re", "n", "a", "aa"), k=k)) for k in range(1, 60)]
    texts = [*pieces, *pieces, "there", "今天天天", "a" * 100, ""]
    found = ByteLevelModel(model, 0).encode(Texts.of(texts))
    for text, ids in zip(texts, found, strict=True):
        assert ids.tolist() == (_plain_merge(model, to_byte_piece(text)) if text else [])


def test_a_small_table_is_emptied_and_changes_no_id() -> None:
    model = _model()
    texts = Texts.of([f"then{chr(97 + n % 26)}{chr(97 + n // 26)} hen" for n in range(60)])
    expected = [ids.tolist() for ids in ByteLevelModel(model, 0).encode(texts)]
    small = ByteLevelModel(model, 0)
    small._arrays = small._arrays._replace(table=empty_table(8))
    assert [ids.tolist() for ids in small.encode(texts)] == expected
    assert 0 < small._arrays.table.counts[0] <= 8


def test_equal_hashes_are_told_apart_by_their_bytes() -> None:
    model = ByteLevelModel(_model(), 0)
    texts = Texts.of(["the", "hen"])
    expected = [ids.tolist() for ids in model.encode(texts)]
    model._arrays.table.keys_S[:] = model._arrays.table.keys_S.max()
    assert [ids.tolist() for ids in model.encode(texts)] == expected


def test_merges_are_found_and_no_others() -> None:
    generator = random.Random(4)
    merges = {(generator.randrange(90), generator.randrange(90)): n for n in range(200)}
    table = merge_table([(left, right, n) for (left, right), n in merges.items()])
    for pair in itertools.product(range(90), repeat=2):
        found = int(merge_of(table, *pair))
        assert (found & 0xFFFFFFFF if found != 2**64 - 1 else None) == merges.get(pair)
    assert int(merge_of(merge_table([]), 0, 0)) == 2**64 - 1


@pytest.mark.parametrize("seed", range(5))
def test_broken_bytes_are_cut_and_encoded_within_their_bounds(seed: int) -> None:
    source = np.random.default_rng(seed)
    data = source.choice(
        np.array([0, 32, 39, 97, 0x80, 0xBF, 0xC3, 0xE4, 0xF0, 0xF4, 0xFF], np.uint8), 300
    )
    bounds = np.array([0, 1, 1, 150, 299, 300], np.int64)
    model = ByteLevelModel(_model(), seed % 3)
    model._kinds.kinds_C[:] = source.integers(1, OTHER + 1, len(model._kinds.kinds_C), np.uint8)
    ids, ends = np.full(300, -1, np.int32), np.zeros(6, np.int64)
    assert encode_byte_level(data, bounds, 0, seed % 3, model._arrays, ids, ends) == 5
    spelled = {number: piece for piece, number in _model()["vocab"].items()}
    assert sum(len(spelled[token]) for token in ids[: ends[-1]].tolist()) == 300
    for place in range(300):
        assert 1 <= (code_at(data, place) & 7) <= 300 - place


def test_ends_count_characters() -> None:
    texts = Texts.of(["a今b", ""])
    ids = np.array([0, 1, 1, 1, 2], np.int32)
    ends, is_spelled = np.zeros(5, np.int64), np.zeros(2, np.uint8)
    spelled_ends(
        *texts, ids, np.array([0, 5, 5]), np.array([1, 1, 1, 9], np.int32), ends, is_spelled
    )
    assert ends.tolist() == [1, 2, 2, 2, 3]
    assert is_spelled.tolist() == [1, 1]


def test_the_best_path_is_the_best_of_all_paths() -> None:
    vocab = [("?", -1.0), ("a", -3.0), ("b", -2.5), ("ab", -4.0), ("ba", -4.5), ("aba", -7.0)]
    scores = dict(vocab[1:])
    model = UnigramModel({"vocab": vocab, "unk_id": 0, "byte_fallback": False}, cuts_words=False)
    texts = ["".join(p) for size in range(1, 7) for p in itertools.product("ab", repeat=size)]

    def score_of(tokens: list[str]) -> float:
        return sum(scores[token] for token in tokens)

    def paths(text: str) -> list[list[str]]:
        if not text:
            return [[]]
        heads = [text[:n] for n in (1, 2, 3) if text[:n] in scores and len(text) >= n]
        return [[head, *rest] for head in heads for rest in paths(text[len(head) :])]

    for text, ids in zip(texts, model.encode(Texts.of(texts)), strict=True):
        tokens = [vocab[number][0] for number in ids.tolist()]
        assert "".join(tokens) == text
        assert score_of(tokens) == max(map(score_of, paths(text)))
    assert [ids.tolist() for ids in model.encode(Texts.of(["axyb", "xy"]))] == [[1, 0, 2], [0]]
