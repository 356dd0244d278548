"""SentencePiece's file read field by field, against the library that wrote it."""

from __future__ import annotations

import io
import random

import pytest
import sentencepiece

from refinery.tokenizers.folder import build_tokenizer
from refinery.tokenizers.sentencepiece_file import (
    BPE,
    CONTROL,
    UNIGRAM,
    UNKNOWN,
    Piece,
    finished_model,
    parse_model,
)
from refinery.tokenizers.tokenizer_json import (
    from_byte_level,
    from_sentencepiece,
    from_wordpiece,
    kind_of,
    merges_of_scores,
    usual_names,
    with_listed_merges,
)
from schemas.errors import ContractError

KINDS = {"unigram": UNIGRAM, "bpe": BPE}
WORDS = ["river", "bridge", "stone", "old", "the", "over", "walked", "数据", "模型", "."]


def trained(kind: str, *, byte_fallback: bool = False) -> bytes:
    chance = random.Random(2)
    lines = [" ".join(chance.choices(WORDS, k=8)) for _ in range(300)]
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=out, vocab_size=330 if byte_fallback else 60,
        model_type=kind, byte_fallback=byte_fallback, hard_vocab_limit=False, minloglevel=2,
        num_threads=1,
    )  # fmt: skip
    return out.getvalue()


def library(raw: bytes) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=raw)


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_and_settings_are_the_librarys(kind: str) -> None:
    raw = trained(kind)
    model, processor = parse_model(raw, "x"), library(raw)

    assert model.model_type == KINDS[kind]
    assert [piece.text for piece in model.pieces] == [
        processor.IdToPiece(n) for n in range(processor.GetPieceSize())
    ]
    assert [piece.score for piece in model.pieces] == [
        processor.GetScore(n) for n in range(processor.GetPieceSize())
    ]
    assert [piece.type for piece in model.pieces[:3]] == [UNKNOWN, CONTROL, CONTROL]
    assert model.add_dummy_prefix
    assert model.remove_extra_whitespaces
    assert not model.byte_fallback


def test_appended_pieces_follow_and_nothing_else_changes() -> None:
    raw = trained("unigram")
    model = parse_model(raw, "x")

    longer = model.with_pieces([Piece("▁清洗", -3.5), Piece("<new>", 0.0, CONTROL)])

    assert longer.startswith(raw)
    assert parse_model(longer, "x").pieces == (
        *model.pieces, Piece("▁清洗", -3.5), Piece("<new>", 0.0, CONTROL)
    )  # fmt: skip
    assert library(longer).PieceToId("▁清洗") == len(model.pieces)
    assert library(longer).Encode("the old bridge") == library(raw).Encode("the old bridge")


@pytest.mark.parametrize("removes_spaces", [False, True])
def test_a_finished_file_has_no_paths_and_says_what_spaces_mean(removes_spaces: bool) -> None:  # noqa: FBT001
    raw = trained("bpe")

    finished = finished_model(raw, removes_spaces=removes_spaces)

    model = parse_model(finished, "x")
    assert model.remove_extra_whitespaces == removes_spaces
    assert model.pieces == parse_model(raw, "x").pieces
    encoded = library(finished).Encode("the  old", out_type=str)
    assert ("▁▁" in "".join(encoded)) == (not removes_spaces)


@pytest.mark.parametrize("raw", [b"", b"\x00", b"\xff\xff", b"no model at all", b"\x0a\x7f"])
def test_what_is_no_model_is_refused_by_name(raw: bytes) -> None:
    with pytest.raises(ContractError, match=r"x\.model: not a SentencePiece model"):
        parse_model(raw, "x.model")


@pytest.mark.parametrize("byte_fallback", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_ids_as_the_library(kind: str, byte_fallback: bool) -> None:  # noqa: FBT001
    raw = trained(kind, byte_fallback=byte_fallback)
    definition = from_sentencepiece(parse_model(raw, "x"))
    tokenizer, processor = build_tokenizer(definition), library(raw)

    assert kind_of(definition, "x") == f"sentencepiece_{kind}"
    for text in ("the old stone bridge", " over  the river. ", "数据 模型 x", "éß 🚶", "a"):
        assert tokenizer.encode(text, add_special_tokens=False).ids == processor.Encode(text), text
        ids = processor.Encode(text)
        # SentencePiece writes an unknown piece as " ⁇ ".
        if processor.unk_id() not in ids:
            assert tokenizer.decode(ids) == processor.Decode(ids)


def test_every_pair_that_gives_a_piece_is_a_merge_best_first() -> None:
    pieces = [("a", -9.0), ("b", -9.0), ("ab", -2.0), ("abb", -1.0), ("bb", -3.0), ("xy", -1.5)]

    assert merges_of_scores(pieces) == [["a", "bb"], ["ab", "b"], ["a", "b"], ["b", "b"]]


def test_published_files_of_other_kinds() -> None:
    byte_level = from_byte_level(
        {"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3}, ["#version", "a b", ""]
    )
    wordpiece = from_wordpiece("[PAD]\n[UNK]\nold\n##er\r\n", {"do_lower_case": False})

    assert kind_of(byte_level, "x") == "byte_level_bpe"
    assert build_tokenizer(byte_level).encode("aab").ids == [0, 2]
    assert kind_of(wordpiece, "x") == "wordpiece"
    assert build_tokenizer(wordpiece).encode("older Old").ids == [2, 3, 1]
    assert [token["content"] for token in wordpiece["added_tokens"]] == ["[PAD]", "[UNK]"]
    with pytest.raises(ContractError, match="expected BPE, Unigram or WordPiece"):
        kind_of({"model": {"type": "WordLevel", "vocab": {}}}, "x")


def test_older_merges_are_pairs_afterwards() -> None:
    old = {"model": {"merges": ["a b", "ab c"]}}

    assert with_listed_merges(old)["model"]["merges"] == [["a", "b"], ["ab", "c"]]
    assert usual_names("byte_level_bpe", {"<|endoftext|>": 0})["eos_token"] == "<|endoftext|>"
    assert usual_names("sentencepiece_bpe", {"</s>": 1}) == {"eos_token": "</s>"}
