from __future__ import annotations

import random

import numpy as np
import pytest
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from refinery.text.boundaries import tokens_at
from refinery.tokenizers import cached_bpe as pieces
from refinery.tokenizers.cached_bpe import (
    GPT2,
    KNOWN,
    LLAMA3,
    QWEN,
    STABLE,
    PieceEncoder,
    compiled,
    is_stable,
)

SENTENCES = (
    "The price rose by 1,234.50 dollars; it's 12% more, they'RE sure.\n\n\tfor (i = 0; i < n; i++) {}",
    "今天天气很好，我们一起去公园吧！价格是１２３元。",
    "Ünïcödé naïve café — “quoted” … 😀👍🏽 x² ½ Ⅳ",
    "  two  spaces \r\n and\u00a0more\u3000wide \u2028 lines   ",
)


def _splitter(pattern: str) -> pre_tokenizers.PreTokenizer:
    if pattern == GPT2:
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([split, byte_level])


def _tokenizer(pattern: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _splitter(pattern)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=alphabet, special_tokens=["<eos>"], show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    if pattern == QWEN:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.encode_special_tokens = True
    return tokenizer


def _by_library(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


@pytest.mark.parametrize("pattern", KNOWN)
def test_every_stable_character_is_cut_as_the_library_cuts_it(pattern: str) -> None:
    splitter = _splitter(pattern)
    for first, last in STABLE:
        for start in range(first, last + 1, 1000):
            letters = map(chr, range(start, min(start + 1000, last + 1)))
            text = "".join(f"a{c}b 1{c}2 {c}{c} !{c}?'{c}\n{c}\n" for c in letters)
            found = [text[begin:end] for _, (begin, end) in splitter.pre_tokenize_str(text)]
            assert compiled(pattern).findall(text) == found


@pytest.mark.parametrize("pattern", KNOWN)
def test_ids_are_those_of_the_library(pattern: str) -> None:
    tokenizer = _tokenizer(pattern)
    encoder = PieceEncoder(tokenizer)
    generator = random.Random(5)
    letters = [*"".join(SENTENCES), "<eos>", "e\u0301", "\U0001e4d0", "\x1c", "ſ", "\ufffd"]
    texts = ["".join(generator.choices(letters, k=generator.randrange(60))) for _ in range(400)]
    texts += [*SENTENCES, "", "x" * 500, "a <eos> in a text"]
    assert sum(map(is_stable, texts)) in range(100, len(texts))
    for _ in range(2):  # with an empty table and with a full one
        assert [ids.tolist() for ids in encoder.encode(texts)] == _by_library(tokenizer, texts)
    assert all(ids.dtype == np.int32 for ids in encoder.encode(texts))
    for text, (_, found) in zip(texts, encoder.encode_with_ends(texts), strict=True):
        places = np.flatnonzero([not char.isspace() for char in text])
        offsets = tokenizer.encode(text, add_special_tokens=False).offsets
        ends = np.array([end for _, end in offsets], np.int64)
        assert tokens_at(places, found).tolist() == tokens_at(places, ends).tolist()


def test_added_tokens_that_are_not_special_are_found_first() -> None:
    tokenizer = _tokenizer(LLAMA3)
    tokenizer.add_tokens([AddedToken("rose by", normalized=False)])
    texts = ["The price rose by 1", "The price rose to 1"]
    assert [ids.tolist() for ids in PieceEncoder(tokenizer).encode(texts)] == _by_library(
        tokenizer, texts
    )


def test_other_tokenizers_are_left_to_the_library() -> None:
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1, "##b": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.encode_special_tokens = True
    assert [ids.tolist() for ids in PieceEncoder(tokenizer).encode(["ab a c"])] == [[1, 2, 1, 0]]


def test_the_table_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MOST_KEPT", 20)
    monkeypatch.setattr(pieces, "LONGEST_KEPT", 12)
    tokenizer = _tokenizer(GPT2)
    encoder = PieceEncoder(tokenizer)
    texts = [f"number {n} and {'z' * 20}{n} once" for n in range(200)]
    found = [ids.tolist() for text in texts for ids in encoder.encode([text])]
    assert found == _by_library(tokenizer, texts)
    assert len(encoder._ids) <= 20 + 10
    assert max(map(len, encoder._ids)) <= 12
