"""Each proof sees the fault that it is there for: one is planted, and that proof fails."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from refinery.tokenizers.folder import build_tokenizer, read_tokenizer
from refinery.vocabulary.config import ExtendConfig, TrainKind
from refinery.vocabulary.extend.added_token import AddedToken
from refinery.vocabulary.extend.append import Extension, extend
from refinery.vocabulary.extend.donor import read_donor
from refinery.vocabulary.extend.proofs import (
    Case,
    Samples,
    prove_base_text,
    prove_boundaries,
    prove_ids,
    prove_reachable,
    prove_round_trip,
    prove_scores,
    prove_special_tokens,
    prove_tokens_hold_new_characters,
)
from refinery.vocabulary.extend.scripts import new_characters
from schemas.vocabulary import Proof
from tests.support.small_tokenizers import KINDS, chinese_lines, english_lines, folder_of

HAN = new_characters(("Han",))
WITH_TOKENIZER = {
    "ids": prove_ids, "base_text": prove_base_text, "reachable": prove_reachable,
    "round_trip": prove_round_trip, "controls": prove_special_tokens,
}  # fmt: skip
WITHOUT: dict[str, Callable[[Case], Proof]] = {
    "new_characters": prove_tokens_hold_new_characters, "boundaries": prove_boundaries,
    "scores": prove_scores,
}  # fmt: skip


@functools.cache
def case_of(kind: TrainKind) -> Case:
    base = read_tokenizer(folder_of(kind, "en"))
    donor = read_donor(folder_of(kind, "zh"), base)
    extension = extend(base, donor.candidates, new=HAN, config=ExtendConfig(size=base.size + 80))
    samples = Samples(
        base=english_lines()[:60], new=chinese_lines()[:60], other=["Жук", "é"], random=["a国b"]
    )
    return Case(base, extension, HAN, samples)


def proofs_of(case: Case) -> dict[str, Proof]:
    with_tokenizer = {name: prove(case, case.tokenizer) for name, prove in WITH_TOKENIZER.items()}
    return with_tokenizer | {name: prove(case) for name, prove in WITHOUT.items()}


def failed(case: Case) -> set[str]:
    return {name for name, proof in proofs_of(case).items() if not proof.holds}


def planted(
    case: Case,
    *,
    definition: dict[str, Any] | None = None,
    tokens: tuple[AddedToken, ...] | None = None,
) -> Case:
    extension = case.extension
    return replace(
        case,
        extension=Extension(
            tokens=extension.tokens if tokens is None else tokens,
            definition=extension.definition if definition is None else definition,
            model_bytes=extension.model_bytes,
            refused=extension.refused,
        ),
    )


def copied(case: Case) -> dict[str, Any]:
    return copy.deepcopy(case.extension.definition)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sound_extension_passes_and_says_how_much_was_checked(kind: TrainKind) -> None:
    proofs = proofs_of(case_of(kind))

    assert [name for name, proof in proofs.items() if not proof.holds] == []
    assert {name: proof.name for name, proof in proofs.items()} == {name: name for name in proofs}
    assert all(proof.checked > 0 for name, proof in proofs.items() if name != "scores")


def test_a_moved_id_is_seen() -> None:
    case = case_of("byte_level_bpe")
    definition = copied(case)
    vocab = definition["model"]["vocab"]
    one, other = sorted(case.base.vocab, key=lambda piece: case.base.vocab[piece])[300:302]
    vocab[one], vocab[other] = vocab[other], vocab[one]

    proof = prove_ids(planted(case, definition=definition), build_tokenizer(definition))

    assert (proof.holds, proof.failures) == (False, 2)
    assert f"{one!r}: {vocab[other]} -> {vocab[one]}" in proof.examples


def test_a_merge_that_other_text_meets_is_seen() -> None:
    case = case_of("byte_level_bpe")
    definition = copied(case)
    del definition["model"]["merges"][5]

    assert "base_text" in failed(planted(case, definition=definition))
    assert "scores" in failed(planted(case, definition=definition)), "no prefix any more"


def test_a_token_without_a_new_character_is_seen() -> None:
    case = case_of("wordpiece")
    tokens = (*case.extension.tokens, AddedToken(piece="latin", text="latin", origin="new"))

    assert "new_characters" in failed(planted(case, tokens=tokens))


def test_a_token_that_no_text_gives_is_seen() -> None:
    case = case_of("byte_level_bpe")
    last = case.extension.tokens[-1]
    definition = copied(case)
    definition["model"]["merges"] = [
        pair for pair in definition["model"]["merges"] if "".join(pair) != last.piece
    ]

    proof = prove_reachable(planted(case, definition=definition), build_tokenizer(definition))

    assert (proof.failures, proof.examples) == (1, (repr(last.piece),))


def test_a_token_across_words_is_seen() -> None:
    case = case_of("sentencepiece_bpe")
    tokens = (replace(case.extension.tokens[0], text="国 家"), *case.extension.tokens[1:])

    assert failed(planted(case, tokens=tokens)) >= {"boundaries"}


@pytest.mark.parametrize("kind", ["sentencepiece_bpe", "sentencepiece_unigram"])
def test_a_score_on_the_wrong_side_of_the_base_or_twice_is_seen(kind: TrainKind) -> None:
    case = case_of(kind)
    first, *others = case.extension.tokens
    wrong = 0.0 if kind == "sentencepiece_bpe" else -1e6

    misplaced = planted(case, tokens=(replace(first, score=wrong), *others))
    doubled = planted(case, tokens=(replace(first, score=others[0].score), *others))

    assert not prove_scores(misplaced).holds
    assert not prove_scores(doubled).holds
    assert "equal scores" in prove_scores(doubled).examples


@pytest.mark.parametrize("kind", KINDS)
def test_a_tokenizer_that_finds_special_tokens_in_text_is_seen(kind: TrainKind) -> None:
    case = case_of(kind)
    unguarded = case.tokenizer
    unguarded.encode_special_tokens = False  # the library's default

    assert prove_special_tokens(case, unguarded).failures > 0


def test_text_that_comes_back_worse_is_seen() -> None:
    case = case_of("byte_level_bpe")
    definition = copied(case)
    vocab = definition["model"]["vocab"]
    one, other = case.extension.tokens[-1].piece, case.extension.tokens[-2].piece
    vocab[one], vocab[other] = vocab[other], vocab[one]
    definition["decoder"] = None

    assert "round_trip" in failed(planted(case, definition=definition))
