"""BPE over characters, which cuts, against merges over whole texts in plain Python."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest

from refinery.text.utf8 import Texts
from refinery.tokenizers.sentencepiece_bpe import CharacterBpeModel, byte_ids_of, encode_characters

BYTE_PIECES = {f"<0x{byte:02X}>": byte for byte in range(256)}
KNOWN = "ab\u2581今"


def _model(seed: int) -> dict[str, Any]:
    """A BPE of a few random merges over few characters."""
    source = random.Random(seed)
    vocab = dict(BYTE_PIECES)
    for character in KNOWN:
        vocab[character] = len(vocab)
    merges: list[list[str]] = []
    while len(merges) < 8:
        left, right = source.choices(list(vocab)[256:], k=2)
        if [left, right] not in merges and len(left + right) <= 5:
            merges.append([left, right])
            vocab.setdefault(left + right, len(vocab))
    return {"vocab": vocab, "merges": merges, "byte_fallback": True}


def _plain_ids(model: dict[str, Any], text: str) -> list[int]:
    ranks = {tuple(pair): rank for rank, pair in enumerate(model["merges"])}
    parts: list[str] = []
    for character in text:
        spelled = [f"<0x{byte:02X}>" for byte in character.encode()]
        parts += [character] if character in model["vocab"] else spelled
    while found := [(ranks[p], i) for i, p in enumerate(itertools.pairwise(parts)) if p in ranks]:
        _, index = min(found)
        parts[index : index + 2] = [parts[index] + parts[index + 1]]
    return [model["vocab"][part] for part in parts]


@pytest.mark.parametrize("seed", range(6))
def test_cuts_change_no_id(seed: int) -> None:
    model = _model(seed)
    source = random.Random(seed + 100)
    # Two characters that the vocabulary does not have, of two and of four bytes.
    texts = [
        "".join(source.choices(KNOWN + "é\U0001f600", (9, 9, 5, 3, 1, 1), k=source.randrange(80)))
        for _ in range(20)
    ]

    found = CharacterBpeModel(model).encode(Texts.of([*texts, "", *texts]))

    expected = [_plain_ids(model, text) for text in texts]
    assert [ids.tolist() for ids in found] == [*expected, [], *expected]


def test_merges_are_read_as_pairs_and_as_one_string() -> None:
    model = _model(1)
    joined = {**model, "merges": [" ".join(pair) for pair in model["merges"]]}
    texts = Texts.of(["abba\u2581今ab" * 3])

    as_pairs, as_strings = (CharacterBpeModel(each).encode(texts) for each in (model, joined))

    assert as_strings.ids_T.tolist() == as_pairs.ids_T.tolist()


def test_broken_bytes_are_spelled_within_their_bounds() -> None:
    source = np.random.default_rng(3)
    data = source.choice(np.array([97, 98, 0x80, 0xC3, 0xE4, 0xF4, 0xFF], np.uint8), 200)
    bounds = np.array([0, 1, 1, 120, 200], np.int64)
    model = _model(2)
    ids, ends = np.full(200, -1, np.int32), np.full(5, -1, np.int64)

    encode_characters(data, bounds, CharacterBpeModel(model)._arrays, ids, ends)

    pieces = {number: piece for piece, number in model["vocab"].items()}
    spelled = [
        1 if token < 256 else len(pieces[token].encode()) for token in ids[: ends[-1]].tolist()
    ]
    assert sum(spelled) == 200
    assert ends[0] == 0
    assert ends[1] == ends[2] == 1


def test_ids_of_bytes_need_all_of_them() -> None:
    found = byte_ids_of(BYTE_PIECES)

    assert found is not None
    assert found.tolist() == list(range(256))
    assert byte_ids_of({k: v for k, v in BYTE_PIECES.items() if k != "<0x7F>"}) is None
    # As the library, which writes them with large letters.
    assert byte_ids_of({piece.lower(): number for piece, number in BYTE_PIECES.items()}) is None
