"""WordPiece against the library's, and on broken bytes."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from refinery.text.utf8 import Texts
from refinery.tokenizers.cutting import OTHER
from refinery.tokenizers.wordpiece import WordPieceModel, encode_words

ENTRIES = ("[UNK]", "a", "b", "ab", "##a", "##bb", "##ab", "今", "!", "abba")


def _model(entries: tuple[str, ...] = ENTRIES, **changes: Any) -> dict[str, Any]:
    return {
        "vocab": {entry: number for number, entry in enumerate(entries)},
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 6,
        **changes,
    }


def _pieces(model: dict[str, Any], text: str) -> list[str]:
    names = {number: entry for entry, number in model["vocab"].items()}
    ids = WordPieceModel(model).encode(Texts.of([text])).ids_T
    return [names[number] for number in ids.tolist()]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("abba", ["abba"]),
        ("abb", ["[UNK]"]),  # the longest first entry is taken, though "a" and "##bb" would do
        ("aab", ["a", "##ab"]),
        ("abab a!b", ["ab", "##ab", "a", "!", "b"]),
        (
            "今今",
            ["[UNK]"],
        ),  # no entry inside a word, and BERT's normaliser puts spaces around them
        (" \u3000\t", []),
        ("a" * 6, ["a", *["##a"] * 5]),
        ("a" * 7, ["[UNK]"]),
        ("?", ["[UNK]"]),
        ("", []),
    ],
)
def test_each_word_is_the_longest_entries_or_unknown(text: str, pieces: list[str]) -> None:
    assert _pieces(_model(), text) == pieces


@pytest.mark.parametrize("prefix", ["##", "@"])
def test_ids_are_those_of_the_library(prefix: str) -> None:
    entries = tuple(entry.replace("##", prefix) for entry in ENTRIES)
    model = _model(entries, continuing_subword_prefix=prefix)
    library = Tokenizer(models.WordPiece(**model))
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    source = random.Random(5)
    # Signs of ASCII and others, spaces of several kinds, a mark, a symbol that is no sign, format characters.
    alphabet = [*"aaabbb今!@#—。 \u3000\n\x85\u0301€\u200d\xad\x00"]
    texts = ["".join(source.choices(alphabet, k=source.randrange(25))) for _ in range(60)]

    found = WordPieceModel(model).encode(Texts.of(texts))

    expected = [library.encode(text, add_special_tokens=False).ids for text in texts]
    assert [ids.tolist() for ids in found] == expected


def test_a_vocabulary_without_inner_entries_has_whole_words_alone() -> None:
    assert _pieces(_model(("[UNK]", "a", "ab")), "a ab aab") == ["a", "ab", "[UNK]"]


def test_broken_bytes_are_encoded_within_their_bounds() -> None:
    source = np.random.default_rng(4)
    data = source.choice(np.array([32, 97, 98, 0x80, 0xC3, 0xE4, 0xF4, 0xFF], np.uint8), 300)
    bounds = np.array([0, 1, 1, 150, 300], np.int64)
    model = WordPieceModel(_model())
    model._kinds_C[:] = source.integers(1, OTHER + 1, len(model._kinds_C), np.uint8)
    ids, ends = np.full(300, -1, np.int32), np.zeros(5, np.int64)

    assert encode_words(data, bounds, 0, model._arrays, ids, ends) == 4

    assert np.all(np.diff(ends) <= np.diff(bounds))
    assert 0 <= ids[: ends[-1]].min() <= ids[: ends[-1]].max() < len(ENTRIES)


def test_a_document_with_an_unknown_character_is_named() -> None:
    model = WordPieceModel(_model())
    model._kinds_C[:128] = OTHER
    texts = Texts.of(["a", "今", "a"])
    ids, ends = np.full(5, -1, np.int32), np.zeros(4, np.int64)

    assert encode_words(*texts, 0, model._arrays, ids, ends) == 1
    assert ends[:2].tolist() == [0, 1]
