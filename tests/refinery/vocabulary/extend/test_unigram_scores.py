from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from tokenizers import Tokenizer, models

from refinery.vocabulary.extend.unigram_scores import MARGIN, rank_scores, score_pieces

BASE = {"a": -2.0, "b": -3.0, "c": -4.0, "ab": -3.5, "国": -6.0}


def library(scores: dict[str, float]) -> Tokenizer:
    vocab = [("<unk>", 0.0), *scores.items()]
    return Tokenizer(models.Unigram(vocab, 0, byte_fallback=False))


def pieces_of(seed: int) -> list[tuple[str, str, float | None]]:
    chance = random.Random(seed)
    texts = dict.fromkeys(
        "".join(chance.choices("abc国数", k=chance.randint(2, 6))) for _ in range(60)
    )
    chosen = [text for text in texts if text not in BASE]
    return [(text, text, chance.choice([None, -chance.random() * 12])) for text in chosen]


@pytest.mark.parametrize("seed", range(4))
def test_every_appended_piece_wins_against_its_splits_in_the_library(seed: int) -> None:
    pieces = pieces_of(seed)

    tokens = score_pieces(pieces, base_scores=BASE, characters="国数")

    tokenizer = library({**BASE, **{token.piece: token.score or 0.0 for token in tokens}})
    for token in tokens:
        assert [t.value for t in tokenizer.model.tokenize(token.piece)] == [token.piece]


@pytest.mark.parametrize("seed", range(4))
def test_no_score_is_below_the_base_and_no_two_are_equal(seed: int) -> None:
    tokens = score_pieces(pieces_of(seed), base_scores=BASE, characters="国数")

    scores = [token.score for token in tokens if token.score is not None]
    assert len(scores) == len(tokens)
    assert min(scores) >= min(BASE.values())
    assert len({float(np.float32(score)) for score in (*scores, *BASE.values())}) == len(
        scores
    ) + len(BASE)


@pytest.mark.parametrize("seed", range(4))
def test_a_score_exceeds_the_best_split_and_parts_count_it(seed: int) -> None:
    """Best split by brute force over all ways to cut the piece."""
    pieces = pieces_of(seed)
    tokens = {t.piece: t for t in score_pieces(pieces, base_scores=BASE, characters="数")}
    known = {**BASE, **{piece: token.score for piece, token in tokens.items()}}

    for piece, _, _ in pieces:
        splits = []
        for borders in itertools.chain.from_iterable(
            itertools.combinations(range(1, len(piece)), n) for n in range(1, len(piece))
        ):
            cuts = [0, *borders, len(piece)]
            parts = [piece[a:b] for a, b in itertools.pairwise(cuts)]
            if all(part in known for part in parts):
                splits.append((sum(known[part] or 0.0 for part in parts), len(parts)))
        best, num_parts = max(splits)
        score = tokens[piece].score
        assert score is not None
        assert score >= best + MARGIN - 1e-6
        assert tokens[piece].parts == num_parts


def test_ids_follow_the_order_of_the_pieces_then_the_characters() -> None:
    tokens = score_pieces(
        [("ca", "ca", None), ("b国", "b国", None)], base_scores=BASE, characters="数国数"
    )

    assert [(token.piece, token.origin) for token in tokens] == [
        ("ca", "new"), ("b国", "new"), ("数", "support"),
    ]  # fmt: skip


def test_ranks_give_log_probabilities_of_one_distribution() -> None:
    scores = rank_scores(50)

    assert scores == sorted(scores, reverse=True)
    assert math.isclose(sum(math.exp(score) for score in scores), 1.0)
    assert math.isclose(scores[0] - scores[9], math.log(10))
