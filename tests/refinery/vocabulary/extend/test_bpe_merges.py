"""BPE that grows: its encoding against the library's, and what appending must not change."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

import pytest
from tokenizers import Tokenizer, models

from refinery.vocabulary.extend.bpe_merges import (
    CANNOT_MERGE,
    LACKS,
    BpeVocabulary,
    append_characters,
    append_piece,
)
from refinery.vocabulary.extend.scripts import NewCharacters

LETTERS = "abcd"
NEW = NewCharacters(("New",), frozenset("xyz"))


def random_bpe(seed: int, num_merges: int = 25) -> tuple[BpeVocabulary, Tokenizer]:
    """A vocabulary of random merges, and the library's BPE of the same."""
    chance = random.Random(seed)
    vocab = {letter: number for number, letter in enumerate(LETTERS + "xyz")}
    merges: list[tuple[str, str]] = []
    while len(merges) < num_merges:
        pair = chance.choice(list(vocab)), chance.choice(list(vocab))
        if pair in merges or not set("".join(pair)) <= set(LETTERS):
            continue
        merges.append(pair)
        vocab.setdefault("".join(pair), len(vocab))
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    library = Tokenizer(models.BPE(dict(vocab), list(merges)))
    return BpeVocabulary(set(vocab), dict(ranks), by_text=False), library


def words(seed: int, letters: str, count: int = 60) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(letters, k=chance.randint(1, 12))) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_a_piece_is_encoded_as_the_library_does(seed: int) -> None:
    vocabulary, library = random_bpe(seed)

    for word in words(seed, LETTERS):
        assert vocabulary.encode(word) == [token.value for token in library.model.tokenize(word)]


@pytest.mark.parametrize("seed", range(5))
def test_an_appended_piece_is_one_token_and_text_without_new_characters_is_as_before(
    seed: int,
) -> None:
    vocabulary, _ = random_bpe(seed)
    old = words(seed, LETTERS)
    before = [vocabulary.encode(word) for word in old]
    wanted = [word for word in words(seed + 100, LETTERS + "xyz") if NEW.held_by(word)]

    for piece in wanted:
        assert append_piece(vocabulary, piece, holds=NEW.held_by, text=piece) in (
            None, CANNOT_MERGE,
        )  # fmt: skip

    assert [vocabulary.encode(word) for word in old] == before
    new = [token.piece for token in vocabulary.added if token.origin == "new"]
    assert new, "something was appended"
    assert all(vocabulary.encode(piece) == [piece] for piece in new)
    assert all(NEW.held_by(token.piece) for token in vocabulary.added)
    assert all(token.merge and "".join(token.merge) == token.piece for token in vocabulary.added)


def test_a_piece_is_appended_by_joins_that_hold_a_new_character() -> None:
    vocabulary = BpeVocabulary(set("abx"), {}, by_text=False)

    assert append_piece(vocabulary, "abx", holds=NEW.held_by, text="the text") is None

    assert [(t.piece, t.origin, t.merge, t.text) for t in vocabulary.added] == [
        ("bx", "support", ("b", "x"), ""),
        ("abx", "new", ("a", "bx"), "the text"),
    ]
    assert vocabulary.added[-1].parts == 3


def test_a_piece_without_a_new_character_cannot_be_appended() -> None:
    vocabulary = BpeVocabulary(set("ab"), {}, by_text=False)

    assert append_piece(vocabulary, "ab", holds=NEW.held_by, text="ab") == CANNOT_MERGE
    assert vocabulary.added == []


def test_characters_of_the_new_scripts_get_entries_and_others_are_refused() -> None:
    vocabulary = BpeVocabulary(set("ab"), {}, by_text=True)

    assert append_characters(vocabulary, "axyx", NEW) is None
    assert [token.piece for token in vocabulary.added] == ["x", "y"]
    assert append_characters(vocabulary, "é", NEW) == LACKS


def empty(*, by_text: bool) -> BpeVocabulary:
    return BpeVocabulary(set("abx"), {}, by_text=by_text)


@pytest.mark.parametrize("make", [partial(empty, by_text=flag) for flag in (False, True)])
def test_undo_leaves_no_trace(make: Callable[[], BpeVocabulary]) -> None:
    vocabulary = make()
    append_piece(vocabulary, "xa", holds=NEW.held_by, text="xa")
    kept = (set(vocabulary.pieces), dict(vocabulary.ranks), list(vocabulary.added))

    append_piece(vocabulary, "xab", holds=NEW.held_by, text="xab")
    vocabulary.undo(1)

    assert (vocabulary.pieces, vocabulary.ranks, vocabulary.added) == kept
    vocabulary.undo(0)
    assert vocabulary == make()


def test_equal_texts_merge_whatever_the_pair_where_ranks_are_by_text() -> None:
    vocabulary = BpeVocabulary({"a", "b", "ab", "ba", "aba"}, {"ab": 0, "aba": 1}, by_text=True)

    assert vocabulary.encode("aba") == ["aba"]
    assert vocabulary.encode("bab") == ["b", "ab"]
