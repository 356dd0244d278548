"""The reader of SentencePiece's files, against the library that wrote them."""

from __future__ import annotations

import io

import pytest
import sentencepiece

from refinery.tokenizers.sentencepiece_file import (
    BPE,
    BYTE,
    CONTROL,
    NORMAL,
    UNIGRAM,
    UNKNOWN,
    Piece,
    finished_model,
    parse_model,
)
from schemas.errors import ContractError
from tests.support.small_tokenizers import english_lines


def trained(model_type: str) -> bytes:
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(english_lines()), model_writer=out, model_type=model_type,
        vocab_size=400, byte_fallback=True, control_symbols=["<sep>"], minloglevel=2,
        hard_vocab_limit=False,
    )  # fmt: skip
    return out.getvalue()


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def raw(request: pytest.FixtureRequest) -> bytes:
    return trained(request.param)


def library(raw: bytes) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=raw)


def test_pieces_scores_and_types_are_those_of_the_library(raw: bytes) -> None:
    model, expected = parse_model(raw, "test"), library(raw)

    assert model.model_type in (BPE, UNIGRAM)
    assert model.byte_fallback
    assert len(model.pieces) == expected.get_piece_size()
    for number, piece in enumerate(model.pieces):
        assert piece.text == expected.id_to_piece(number)
        assert piece.score == expected.get_score(number)
        assert (piece.type == UNKNOWN) == expected.is_unknown(number)
        assert (piece.type == CONTROL) == expected.is_control(number)
        assert (piece.type == BYTE) == expected.is_byte(number)


def test_appended_pieces_are_read_by_the_library_and_all_others_stay(raw: bytes) -> None:
    model = parse_model(raw, "test")
    added = [Piece("▁数据", -3.25), Piece("<new>", 0.0, CONTROL)]

    longer = model.with_pieces(added)

    assert longer.startswith(raw)
    extended, size = library(longer), len(model.pieces)
    assert extended.get_piece_size() == size + 2
    assert [extended.id_to_piece(size + n) for n in range(2)] == ["▁数据", "<new>"]
    assert extended.get_score(size) == -3.25
    assert (extended.is_control(size), extended.is_control(size + 1)) == (False, True)
    assert parse_model(longer, "test").pieces == (*model.pieces, *added)


def test_a_finished_file_tells_no_path_and_encodes_alike(raw: bytes) -> None:
    line = "the quick  brown fox"

    kept, tidied = (finished_model(raw, removes_spaces=flag) for flag in (False, True))

    assert parse_model(kept, "test").pieces == parse_model(raw, "test").pieces
    assert not parse_model(kept, "test").remove_extra_whitespaces
    assert parse_model(tidied, "test").remove_extra_whitespaces
    assert library(tidied).encode(line) == library(raw).encode(line)
    assert library(kept).encode(line) != library(tidied).encode(line), "two spaces stay two"
    assert finished_model(kept, removes_spaces=False) == kept


def test_bytes_that_are_no_model_are_refused_whatever_they_are(raw: bytes) -> None:
    for broken in (b"", b"\x0a", b"\xff" * 40, b"not a model", raw[1:], raw[:7]):
        with pytest.raises(ContractError, match="broken: not a SentencePiece model"):
            parse_model(broken, "broken")


def test_a_piece_is_normal_unless_it_says_otherwise() -> None:
    assert Piece("a", 0.0).type == NORMAL
