"""Ids of compiled loops against the library's, for every kind of tokenizer."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pyarrow as pa
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
from refinery.text.utf8 import Texts
from refinery.tokenizers.characters import CharacterKinds
from refinery.tokenizers.cutting import GPT2, LLAMA3, PATTERNS, QWEN
from refinery.tokenizers.encoder import Encoder

SENTENCES = (
    "The price rose by 1,234.50 dollars; it's 12% more, they'RE sure.\n\n\tfor (i = 0; i < n; i++) {}",
    "今天天气很好，我们一起去公园吧！价格是１２３元。",
    "Ünïcödé naïve café — “quoted” … 😀👍🏽 x² ½ Ⅳ",
    "  two  spaces \r\n and\u00a0more\u3000wide \u2028 lines   ",
)
HOSTILE = (
    *"".join(SENTENCES), *"'sStTreREveVEmMllLLdDſ", *"\x00\x1c\x85\ufffd\u2581", *"e\u0301각\u11a8각กำनमि",
    *"\U0001e4d0\U0010ffff\ue000\u0378", "🇩🇪", "👨\u200d👩", "<eos>", "<unk>", "[MASK]", "<0x41>", "##", "    ",
)  # fmt: skip


def _texts(seed: int, number: int = 300) -> list[str]:
    generator = random.Random(seed)
    texts = ["".join(generator.choices(HOSTILE, k=generator.randrange(50))) for _ in range(number)]
    any_code = [*range(0x300, 0xD800), *range(0xE000, 0x110000)]
    texts += [
        "a".join(map(chr, generator.choices(any_code, k=generator.randrange(8))))
        for _ in range(number // 4)
    ]
    return [*texts, *SENTENCES, "", "x" * 500, "ab" * 300, "今" * 200, " " * 90, " \u2581a", "\n\n"]


def _splitter(pattern: str) -> pre_tokenizers.PreTokenizer:
    if pattern == GPT2:
        return pre_tokenizers.ByteLevel(add_prefix_space=False)
    split = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([split, byte_level])


def _byte_level(pattern: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=pattern == LLAMA3))
    tokenizer.pre_tokenizer = _splitter(pattern)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=alphabet, special_tokens=["<eos>"], show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    if pattern == QWEN:
        tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def _mark_blanks() -> normalizers.Normalizer:
    return normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])


def _character_bpe() -> Tokenizer:
    """As LLaMA: merges over the characters of a whole text, unknown ones in bytes."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))],
        limit_alphabet=60, show_progress=False,
    )  # fmt: skip
    trained.train_from_iterator([text.replace("\u2028", "") for text in SENTENCES] * 3, trainer)
    trained.model.byte_fallback = True
    trained.model.fuse_unk = True
    trained.pre_tokenizer = None
    trained.normalizer = _mark_blanks()
    return trained


def _unigram(*, cuts_words: bool, byte_fallback: bool = False) -> Tokenizer:
    generator = random.Random(3)
    scores = {"<unk>": 0.0, "\u2581": -2.0}
    if byte_fallback:
        scores |= {f"<0x{byte:02X}>": -20.0 for byte in range(256)}
    for text in SENTENCES:
        marked = "\u2581" + text.replace(" ", "\u2581")
        for start in range(len(marked)):
            size = generator.randrange(1, 6)
            # Few different scores: many paths are equally good.
            scores[marked[start : start + size]] = -float(generator.randrange(2, 9))
    tokenizer = Tokenizer(models.Unigram(list(scores.items()), 0, byte_fallback))
    if cuts_words:
        tokenizer.normalizer = normalizers.Replace(Regex(" {2,}"), "\u2581")
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    else:
        strip = normalizers.Strip()
        join = normalizers.Replace(Regex(" {2,}"), " ")
        tokenizer.normalizer = normalizers.Sequence([strip, join, _mark_blanks()])
    return tokenizer


def _wordpiece() -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=20))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=150, special_tokens=["[UNK]", "[MASK]"], show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    return tokenizer


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "gpt2": lambda: _byte_level(GPT2),
    "llama3": lambda: _byte_level(LLAMA3),
    "qwen": lambda: _byte_level(QWEN),
    "llama": _character_bpe,
    "t5": lambda: _unigram(cuts_words=True),
    "unigram": lambda: _unigram(cuts_words=False),
    "unigram in bytes": lambda: _unigram(cuts_words=False, byte_fallback=True),
    "bert": _wordpiece,
}


def _by_library(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def _encoded(encoder: Encoder, texts: list[str]) -> list[list[int]]:
    return [ids.tolist() for ids in encoder.encode(Texts.of(texts))]


@pytest.fixture(scope="module", params=KINDS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    tokenizer = KINDS[request.param]()
    tokenizer.encode_special_tokens = True
    return tokenizer


@pytest.mark.parametrize("seed", range(3))
def test_ids_are_those_of_the_library(tokenizer: Tokenizer, seed: int) -> None:
    encoder = Encoder(tokenizer)
    texts = _texts(seed)
    assert encoder.is_compiled
    expected = _by_library(tokenizer, texts)
    for _ in range(2):  # with an empty table and with a full one
        assert _encoded(encoder, texts) == expected
    assert [_encoded(Encoder(tokenizer), [text])[0] for text in texts[-12:]] == expected[-12:]


def test_ends_are_those_of_the_library(tokenizer: Tokenizer) -> None:
    texts = [text for text in _texts(9, 100) if text]
    found = Encoder(tokenizer).encode_with_ends(Texts.of(texts))
    for document, text in enumerate(texts):
        places = np.flatnonzero([not char.isspace() for char in text])
        offsets = tokenizer.encode(text, add_special_tokens=False).offsets
        ends = np.array([end for _, end in offsets], np.int64)
        found_tokens = tokens_at(places, found.ends(document)).tolist()
        assert found_tokens == tokens_at(places, ends).tolist()


def test_every_character_has_the_kind_that_the_library_gives_it() -> None:
    known = CharacterKinds()
    known.learn(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))
    letters = Encoder(_special(_byte_level(GPT2)))
    for start in range(0x300, 0x110000, 0x5555):
        codes = [code for code in range(start, start + 40) if not 0xD800 <= code < 0xE000]
        texts = ["".join(f"a{chr(c)}b 1{chr(c)}2 {chr(c)}{chr(c)} !{chr(c)}?\n" for c in codes)]
        for pattern in PATTERNS:
            assert _cuts(pattern, texts[0]) == _pieces(known, pattern, texts[0])
        assert _encoded(letters, texts) == _by_library(letters.tokenizer, texts)


def _special(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.encode_special_tokens = True
    return tokenizer


def _cuts(pattern: str, text: str) -> list[str]:
    return [text[a:b] for _, (a, b) in _splitter(pattern).pre_tokenize_str(text)]


def _pieces(known: CharacterKinds, pattern: str, text: str) -> list[str]:
    from refinery.tokenizers.cutting import mark_kinds, piece_end

    data = np.frombuffer(text.encode(), np.uint8)
    kinds = np.zeros(len(data), np.uint8)
    assert mark_kinds(data, known.kinds_C, kinds)
    pieces, start = [], 0
    while start < len(data):
        end = piece_end(data, kinds, start, PATTERNS[pattern])
        pieces.append(data[start:end].tobytes().decode())
        start = end
    return pieces


def test_added_tokens_that_are_not_special_are_found_first() -> None:
    tokenizer = _special(_byte_level(LLAMA3))
    tokenizer.add_tokens([AddedToken("rose by", normalized=False)])
    texts = ["The price rose by 1", "The price rose to 1", "The price rose", " by 1"]
    assert _encoded(Encoder(tokenizer), texts) == _by_library(tokenizer, texts)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: setattr(t, "pre_tokenizer", pre_tokenizers.Whitespace()),
        lambda t: setattr(t, "normalizer", normalizers.Lowercase()),
        lambda t: setattr(t.model, "dropout", 0.5),
        lambda t: setattr(t, "encode_special_tokens", False),
    ],
)
def test_other_tokenizers_are_left_to_the_library(change: Callable[[Tokenizer], None]) -> None:
    tokenizer = _special(_byte_level(GPT2))
    change(tokenizer)
    assert not Encoder(tokenizer).is_compiled


def test_texts_come_from_any_slice_of_a_column() -> None:
    column = pa.array(["one", "", "两个", "three"]).slice(1, 2)
    for kind in (pa.string(), pa.large_string()):
        assert list(Texts.of_column(column.cast(kind)).strings()) == ["", "两个"]
    assert list(Texts.of_column(pa.array([], pa.string())).strings()) == []
