"""Which definitions compiled loops take, and which they leave to the library."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
)

from refinery.text.utf8 import Texts
from refinery.tokenizers.byte_level import ByteLevelModel
from refinery.tokenizers.cutting import LLAMA3, QWEN
from refinery.tokenizers.normalizing import MARK
from refinery.tokenizers.plans import Plan, plan_of
from refinery.tokenizers.sentencepiece_bpe import CharacterBpeModel
from refinery.tokenizers.special_tokens import guard_special_tokens
from refinery.tokenizers.unigram import UnigramModel
from refinery.tokenizers.wordpiece import WordPieceModel

BYTE_PIECES = [f"<0x{byte:02X}>" for byte in range(256)]
MARK_BLANKS = normalizers.Replace(" ", MARK)
PREPEND = normalizers.Prepend(MARK)
JOIN_BLANKS = normalizers.Replace(Regex(" {2,}"), " ")


def _plan(tokenizer: Tokenizer) -> Plan | None:
    return plan_of(json.loads(tokenizer.to_str()), tokenizer)


def _bpe(pieces: list[str] | None = None, **options: Any) -> Tokenizer:
    names = pieces if pieces is not None else [*BYTE_PIECES, "a", "b", "ab"]
    vocab = {name: number for number, name in enumerate(names)}
    return Tokenizer(models.BPE(vocab=vocab, merges=[("a", "b")], **options))


def _byte_level(pattern: str = LLAMA3, behavior: str = "isolated", **options: Any) -> Tokenizer:
    tokenizer = _bpe(**options)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior=behavior),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return tokenizer


def _character_bpe(*steps: normalizers.Normalizer, **options: Any) -> Tokenizer:
    tokenizer = _bpe(**{"byte_fallback": True, "unk_token": "<0x00>", **options})
    tokenizer.normalizer = normalizers.Sequence(list(steps))
    return tokenizer


def _unigram(*steps: normalizers.Normalizer, unk_id: int | None = 0) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0)], unk_id, False))
    tokenizer.normalizer = normalizers.Sequence(list(steps))
    return tokenizer


def _wordpiece() -> Tokenizer:
    vocab = {"[UNK]": 0, "a": 1}
    tokenizer = Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def _changed(tokenizer: Tokenizer, **parts: Any) -> Tokenizer:
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    return tokenizer


@pytest.mark.parametrize(
    ("tokenizer", "model"),
    [
        (_byte_level(), ByteLevelModel),
        (_byte_level(QWEN), ByteLevelModel),
        (_changed(_byte_level(), normalizer=normalizers.NFC()), ByteLevelModel),
        (_character_bpe(PREPEND, MARK_BLANKS), CharacterBpeModel),
        (_character_bpe(normalizers.Strip(), JOIN_BLANKS, PREPEND, MARK_BLANKS), CharacterBpeModel),
        (_unigram(JOIN_BLANKS, MARK_BLANKS), UnigramModel),
        (_changed(_unigram(), pre_tokenizer=pre_tokenizers.Metaspace()), UnigramModel),
        (_wordpiece(), WordPieceModel),
    ],
)
def test_known_parts_are_taken(tokenizer: Tokenizer, model: type) -> None:
    plan = _plan(tokenizer)

    assert plan is not None
    assert type(plan.model) is model
    assert plan.literals == ()
    # Only bytes of a text, as it is or composed, are spelled by their tokens one by one.
    assert plan.is_byte_level == (model is ByteLevelModel)


@pytest.mark.parametrize(
    "tokenizer",
    [
        _byte_level(r"\w+"),
        _byte_level(behavior="removed"),
        _byte_level(unk_token="a"),
        _byte_level(end_of_word_suffix="b"),
        _byte_level(dropout=0.1),
        _changed(_byte_level(), normalizer=normalizers.NFKC()),
        _changed(_bpe(), pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=True)),
        _character_bpe(PREPEND, MARK_BLANKS, byte_fallback=False),
        _character_bpe(PREPEND, MARK_BLANKS, pieces=[*BYTE_PIECES[:-1], "a", "b", "ab"]),
        _character_bpe(PREPEND),  # blanks stay blanks
        _character_bpe(MARK_BLANKS, PREPEND),
        _character_bpe(MARK_BLANKS, MARK_BLANKS),
        _character_bpe(PREPEND, normalizers.Strip(), MARK_BLANKS),
        _character_bpe(normalizers.Lowercase(), MARK_BLANKS),
        _changed(_character_bpe(), pre_tokenizer=pre_tokenizers.Metaspace()),  # words are no pieces
        _unigram(MARK_BLANKS, unk_id=None),
        _changed(_unigram(PREPEND), pre_tokenizer=pre_tokenizers.Metaspace()),
        _changed(_unigram(MARK_BLANKS), pre_tokenizer=pre_tokenizers.Whitespace()),
        _changed(_wordpiece(), normalizer=None),
        _changed(_wordpiece(), pre_tokenizer=pre_tokenizers.Whitespace()),
        Tokenizer(models.WordLevel(vocab={"a": 0}, unk_token="a")),
    ],
)
def test_other_parts_are_left_to_the_library(tokenizer: Tokenizer) -> None:
    assert _plan(tokenizer) is None


def test_a_decoder_changes_no_plan() -> None:
    assert _plan(_changed(_byte_level(), decoder=decoders.ByteLevel())) is not None


def test_added_tokens_are_looked_for_as_written_and_as_normalized() -> None:
    tokenizer = _wordpiece()
    tokenizer.add_tokens([AddedToken("Éa", normalized=True)])
    tokenizer.add_special_tokens(["[MASK]"])

    plan = _plan(tokenizer)

    assert plan is not None
    assert plan.literals == tuple(sorted(["Éa".encode(), b"ea"]))


def test_an_added_token_that_is_normalized_to_nothing_is_left_to_the_library() -> None:
    tokenizer = _unigram(normalizers.Strip(), MARK_BLANKS)
    tokenizer.add_tokens([AddedToken("  ", normalized=True)])

    assert _plan(tokenizer) is None


def test_texts_with_what_a_guard_splits_are_left_to_the_library() -> None:
    vocab = [("<unk>", 0.0), ("a", -1.0), ("<extra_id_0>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(vocab, 0, False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(["<extra_id_0>"])
    guarded = Tokenizer.from_str(json.dumps(guard_special_tokens(json.loads(tokenizer.to_str()))))

    plan = _plan(guarded)

    assert plan is not None
    assert plan.literals == (b"<extra_id_",)


def test_a_plan_encodes_as_the_library() -> None:
    tokenizer = _character_bpe(normalizers.Strip(), JOIN_BLANKS, PREPEND, MARK_BLANKS)
    text = "  ab  a\u0301b abé "

    plan = _plan(tokenizer)

    assert plan is not None
    assert plan.normalizer is not None
    ids = plan.model.encode(plan.normalizer.apply(Texts.of([text]))).ids_T
    assert ids.tolist() == tokenizer.encode(text, add_special_tokens=False).ids
