from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Literal

import pytest

from refinery.tokenizers.folder import build_tokenizer
from refinery.vocabulary.config import TrainConfig, TrainKind
from refinery.vocabulary.train.merges import choose_alphabet, cut_outside, repeated, train_merges
from refinery.vocabulary.train.sentencepiece import train_sentencepiece
from refinery.vocabulary.train.wordpiece import train_wordpiece
from schemas.errors import ContractError
from tests.support.small_tokenizers import english_lines

CLAUSES = sorted(Counter(word for line in english_lines() for word in line.split(" ")).items())
SPACED = [*CLAUSES, *((f" {clause}", count) for clause, count in CLAUSES)]


def config(kind: TrainKind, **settings: object) -> TrainConfig:
    return TrainConfig.model_validate({"kind": kind, "size": 400, "sentinels": 2, **settings})


def test_the_alphabet_is_the_most_frequent_characters_up_to_the_coverage() -> None:
    clauses = [("aab", 10), ("cb", 5), ("d", 1)]  # a 20, b 15, c 5, d 1
    bpe = config("bpe", character_coverage=0.97)

    assert choose_alphabet(clauses, bpe, room=100) == ["a", "b", "c"]
    assert choose_alphabet(clauses, config("bpe", character_coverage=1), room=100) == list("abcd")


def test_equally_frequent_characters_stand_by_code_point_and_most_of_the_room_is_the_bound() -> (
    None
):
    clauses = [("zyxab", 1)]

    whole = config("bpe", character_coverage=1)
    assert choose_alphabet(clauses, whole, room=100) == list("abxyz")
    assert choose_alphabet(clauses, whole, room=3) == ["a", "b"]
    with pytest.raises(ContractError, match="leaves 0 ids for characters"):
        choose_alphabet(clauses, whole, room=0)


def test_clauses_are_cut_at_characters_that_are_left_out() -> None:
    clauses = [("abXcd", 3), ("XX", 2), ("a", 1)]

    assert list(cut_outside(clauses, set("abcd"))) == [("ab", 3), ("cd", 3), ("a", 1)]


def test_repeated_gives_each_clause_as_often_as_it_occurs() -> None:
    counts = {"a": 2500, "b": 1, "c": 999}

    given = Counter(clause for chunk in repeated(counts.items()) for clause in chunk)

    assert given == counts
    assert max(len(chunk) for chunk in repeated(counts.items())) <= 1000


@pytest.mark.parametrize("kind", ["bpe", "byte_level_bpe"])
def test_merges_do_not_depend_on_the_order_of_clauses(
    kind: Literal["bpe", "byte_level_bpe"],
) -> None:
    shuffled = random.Random(5).sample(SPACED, len(SPACED))

    one, other = (train_merges(clauses, config(kind)) for clauses in (SPACED, shuffled))

    assert one.to_str() == other.to_str()
    assert one.get_vocab_size() <= 400
    assert [one.id_to_token(number) for number in range(3)] == ["<pad>", "<eos>", "[CLS]"]


def test_bpe_over_characters_falls_back_on_bytes() -> None:
    tokenizer = train_merges(SPACED, config("bpe", size=600, byte_fallback=True))

    ids = tokenizer.encode("the 国", add_special_tokens=False).ids

    assert tokenizer.decode(ids) == "the 国"
    assert [tokenizer.id_to_token(number) for number in ids[-3:]] == ["<0xE5>", "<0x9B>", "<0xBD>"]


def test_wordpiece_ids_follow_rank_and_words_are_cut_at_known_pieces() -> None:
    shuffled = random.Random(6).sample(SPACED, len(SPACED))

    one, other = (train_wordpiece(clauses, config("wordpiece")) for clauses in (SPACED, shuffled))

    assert one.get_vocab() == other.get_vocab()
    for word in ("quick", "fox", "dogs", "wizardly", "lazydog", "foxquick"):
        tokens = one.encode(word, add_special_tokens=False).tokens
        assert tokens == longest_first(word, set(one.get_vocab()))


def longest_first(word: str, vocab: set[str]) -> list[str]:
    """BERT's own way to cut a word (Devlin et al. 2019, tokenization.py)."""
    tokens: list[str] = []
    start = 0
    while start < len(word):
        mark = "##" if start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if mark + word[start:end] in vocab), None)
        if end is None:
            return ["[UNK]"]
        tokens.append(mark + word[start:end])
        start = end
    return tokens


@pytest.mark.parametrize("kind", ["sentencepiece_bpe", "sentencepiece_unigram"])
def test_sentencepiece_gives_the_same_bytes_twice_and_its_special_tokens_first(
    kind: TrainKind,
) -> None:
    raw = train_sentencepiece(SPACED, config(kind))

    assert raw == train_sentencepiece(SPACED, config(kind))
    assert str(Path.cwd()).encode() not in raw
    assert b"/clauses.tsv" not in raw, "no path of the machine that trained"


def test_too_many_ids_for_the_text_are_refused_with_the_numbers() -> None:
    with pytest.raises(ContractError, match=r"cannot train 400 ids on 1 clauses"):
        train_sentencepiece([("a" * 16, 1)], config("sentencepiece_unigram", byte_fallback=False))


def test_a_tokenizer_of_merges_is_read_back_alike(tmp_path: Path) -> None:
    import json

    tokenizer = train_merges(SPACED, config("byte_level_bpe"))
    again = build_tokenizer(json.loads(tokenizer.to_str()))

    for line in english_lines()[:20]:
        assert again.encode(line).ids == tokenizer.encode(line).ids
