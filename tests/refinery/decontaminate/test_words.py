from __future__ import annotations

import random
import re

import numpy as np

from refinery.decontaminate.words import CHUNK_ITEMS, ItemWords
from refinery.text.batch import TextBatch

TEXTS = ["The quick, brown FOX", "数据清洗 v2", "...", "word", "ａｂＣ"]


def test_items_are_folded_words_and_single_ideographs() -> None:
    words, hashes = ItemWords.of(TEXTS)

    assert [words.of_item(item) for item in range(len(TEXTS))] == [
        ("the", "quick", "brown", "fox"), ("数", "据", "清", "洗", "v2"), (), ("word",), ("abc",),
    ]  # fmt: skip
    assert words.num_tokens.tolist() == [4, 5, 0, 1, 1]
    assert len(hashes) == 11
    assert words.is_chinese().tolist() == [False, True, False, False, False]


def test_tokens_know_their_item_whatever_the_chunks() -> None:
    chance = random.Random(1)
    texts = [
        " ".join(chance.choices(["red", "fox", "国"], k=chance.randint(0, 5)))
        for _ in range(CHUNK_ITEMS + 300)
    ]

    words, hashes = ItemWords.of(texts)

    expected = [re.findall(r"[a-z]+|国", text) for text in texts]
    owners = [item for item, own in enumerate(expected) for _ in own]
    assert words.items_of(np.arange(len(owners))).tolist() == owners
    assert [words.word(token) for token in range(len(owners))] == [
        w for own in expected for w in own
    ]
    assert np.array_equal(hashes, TextBatch.of(texts).token_hashes)


def test_a_hit_is_confirmed_by_letters() -> None:
    words, _ = ItemWords.of(["the quick brown fox"])
    same = TextBatch.of(["see THE Quick\nbrown fox"])
    other = TextBatch.of(["see the quick brown box"])

    assert words.is_same(0, same, 1, 4)
    assert words.is_same(1, same, 2, 3)
    assert not words.is_same(0, other, 1, 4)
    assert not words.is_same(0, same, 0, 4), "another word of the text, of other lengths"


def test_no_items_are_no_tokens() -> None:
    words, hashes = ItemWords.of([])

    assert (len(words.num_tokens), len(hashes), len(words.is_chinese())) == (0, 0, 0)
