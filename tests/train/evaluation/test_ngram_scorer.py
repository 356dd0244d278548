"""The control scores what a model scores: the candidate behind its context."""

from __future__ import annotations

import numpy as np
import pytest

from train.evaluation.items import Candidate, Item
from train.evaluation.ngram import TokenRun, count_ngrams
from train.evaluation.ngram_scorer import NgramScorer

TEXT = "the cat sat on the mat and the cat ate the rat "


def _encode(text: str) -> list[int]:
    """A token for every letter; those of a blank and of a letter begin words."""
    return [ord(letter) % 128 for letter in text]


@pytest.fixture
def scorer() -> NgramScorer:
    model = count_ngrams([TokenRun(ids=np.array(_encode(TEXT * 3)))], vocab_size=128)
    return NgramScorer(model=model, encode=_encode)


def _item(context: str, *texts: str, delimiter: str = " ") -> Item:
    return Item(
        id="1",
        candidates=tuple(
            Candidate(context=context, text=text, delimiter=delimiter) for text in texts
        ),
        gold=(0,),
        cluster="c",
    )


def test_candidates_are_scored_behind_their_context_alone(scorer: NgramScorer) -> None:
    (score,) = scorer.score([_item("on the", "mat", "dog")])

    whole = scorer.model.log_likelihoods([_encode("on the mat")], starts=[len("on the")])
    assert score.log_likelihoods[0] == pytest.approx(whole[0])
    assert score.log_likelihoods[0] > score.log_likelihoods[1]
    assert (score.tokens, score.chars, score.bytes) == ((4, 4), (3, 3), (3, 3))
    assert (score.cluster, score.correct("sum")) == ("c", 1.0)


def test_examples_stand_before_the_context(scorer: NgramScorer) -> None:
    item = _item("t", "he", delimiter="")

    (bare,) = scorer.score([item])
    (behind,) = scorer.score([item], before=["sat on "])

    whole = scorer.model.log_likelihoods([_encode("sat on the")], starts=[len("sat on t")])
    assert behind.log_likelihoods[0] == pytest.approx(whole[0])
    assert bare.log_likelihoods[0] != behind.log_likelihoods[0]


def test_a_pair_of_sentences_begins_a_document(scorer: NgramScorer) -> None:
    (score,) = scorer.score([_item("", "the cat", "cat the")], pmi=True)

    whole = scorer.model.log_likelihoods([_encode("the cat")])
    assert score.log_likelihoods[0] == pytest.approx(whole[0])
    assert score.unconditional == score.log_likelihoods
    assert score.tokens == (7, 7)


def test_items_with_other_numbers_of_candidates_stay_apart(scorer: NgramScorer) -> None:
    found = scorer.score([_item("the", "cat"), _item("the", "rat", "cat", "mat")])

    assert [len(score.log_likelihoods) for score in found] == [1, 3]
    assert found[0].log_likelihoods[0] == pytest.approx(found[1].log_likelihoods[1])
    assert "5-grams counted from 141 tokens" in scorer.form
