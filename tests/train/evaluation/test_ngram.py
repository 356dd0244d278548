"""The n-gram control against counting by hand, one n-gram at a time."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from schemas.errors import ContractError
from tests.support.datasets import write_dataset
from train.data.config import LoaderConfig
from train.data.loader import open_split, shard_files
from train.data.remote import open_manifest
from train.evaluation.ngram import TokenRun, count_ngrams, training_runs

MARK = "mark"


class SlowModel:
    """Interpolated modified Kneser-Ney as the paper writes it, with dictionaries and recursion."""

    def __init__(self, runs: Sequence[tuple[list[int], bool]], vocab: int, order: int) -> None:
        self.vocab, self.order = vocab, order
        raw = [Counter() for _ in range(order + 1)]
        before = defaultdict(set)
        for ids, is_start in runs:
            tokens = [MARK, *ids] if is_start else list(ids)
            for end in range(1, len(tokens) + 1):
                for length in range(1, min(order, end) + 1):
                    gram = tuple(tokens[end - length : end])
                    raw[length][gram] += 1
                    if end > length:
                        before[gram].add(tokens[end - length - 1])
        self.counts: list[dict] = [{}]
        for length in range(1, order + 1):
            counts = {}
            for gram, times in raw[length].items():
                is_raw = length == order or gram[0] == MARK
                counts[gram] = times if is_raw else max(len(before[gram]), 1)
            counts.pop((MARK,), None)
            self.counts.append(counts)
        self.discounts = [()] + [self._discounts(counts) for counts in self.counts[1:]]

    @staticmethod
    def _discounts(counts: dict) -> tuple[float, float, float]:
        n = Counter(counts.values())
        if n[1] and n[2] and n[3]:
            y = n[1] / (n[1] + 2 * n[2])
            found = (1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3])
            if 0 < found[0] < 1 and 0 < found[1] < 2 and 0 < found[2] < 3:
                return found
        return (0.5, 1.0, 1.5)

    def probability(self, token: int, context: tuple) -> float:
        """Of a token behind a context of any length below the order."""
        counts, discounts = self.counts[len(context) + 1], self.discounts[len(context) + 1]
        shorter = self.probability(token, context[1:]) if context else 1 / self.vocab
        followers = {gram[-1]: c for gram, c in counts.items() if gram[:-1] == context}
        if not followers:
            return shorter
        total = sum(followers.values())
        left = sum(discounts[min(c, 3) - 1] for c in followers.values())
        own = followers.get(token, 0)
        kept = own - discounts[min(own, 3) - 1] if own else 0.0
        return (kept + left * shorter) / total

    def log_likelihood(self, ids: list[int], start: int = 0) -> float:
        tokens = [MARK, *ids]
        return sum(
            math.log(self.probability(tokens[i], tuple(tokens[max(0, i - self.order + 1) : i])))
            for i in range(1 + start, len(tokens))
        )


def _runs(seed: int, vocab: int, count: int) -> list[tuple[list[int], bool]]:
    draw = np.random.default_rng(seed)
    weights = 1 / np.arange(1, vocab + 1)
    return [
        (
            draw.choice(vocab, size=int(draw.integers(1, 14)), p=weights / weights.sum()).tolist(),
            bool(draw.random() < 0.7),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize(("order", "count"), [(2, 60), (3, 60), (5, 60), (5, 1)])
def test_probabilities_are_those_of_counting_by_hand(order: int, count: int) -> None:
    runs = _runs(order, 9, count)
    fast = count_ngrams(
        [TokenRun(ids=np.array(ids), is_start=start) for ids, start in runs],
        vocab_size=9,
        order=order,
    )
    slow = SlowModel(runs, 9, order)

    asked = [ids for ids, _ in _runs(99, 9, 30)] + [runs[0][0]]

    assert fast.log_likelihoods(asked).tolist() == pytest.approx(
        [slow.log_likelihood(ids) for ids in asked], rel=1e-9
    )


def test_what_stands_before_the_start_counts_as_context_alone() -> None:
    runs = _runs(1, 7, 50)
    fast = count_ngrams([TokenRun(ids=np.array(ids)) for ids, _ in runs], vocab_size=7)
    slow = SlowModel([(ids, True) for ids, _ in runs], 7, 5)
    asked = [[1, 0, 2, 3, 0], [0, 0, 1], [4]]

    found = fast.log_likelihoods(asked, starts=[3, 0, 1])

    assert found.tolist() == pytest.approx(
        [slow.log_likelihood(ids, start) for ids, start in zip(asked, [3, 0, 1], strict=True)]
    )


def test_probabilities_behind_any_context_sum_to_one() -> None:
    runs = [TokenRun(ids=np.array(ids), is_start=start) for ids, start in _runs(5, 11, 80)]
    model = count_ngrams(runs, vocab_size=13)  # two tokens were never seen

    for context in ([], [0], [3, 1], [0, 1, 0, 2, 0], [12, 12, 12, 12]):
        asked = [[*context, token] for token in range(13)]
        found = model.log_likelihoods(asked, starts=[len(context)] * 13)
        assert np.exp(found).sum() == pytest.approx(1.0)


def test_a_frequent_order_is_likelier_than_its_reverse() -> None:
    text = [TokenRun(ids=np.array([1, 2, 3, 4])) for _ in range(20)]

    model = count_ngrams(text, vocab_size=6)
    forward, backward = model.log_likelihoods([[1, 2, 3, 4], [4, 3, 2, 1]])

    assert forward > backward
    assert model.tokens == 80


def test_no_text_and_foreign_ids_are_refused() -> None:
    with pytest.raises(ContractError, match="no token"):
        count_ngrams([], vocab_size=5)
    with pytest.raises(ContractError, match="from 3 to 9: expected 0 to 4"):
        count_ngrams([TokenRun(ids=np.array([3, 9]))], vocab_size=5)
    with pytest.raises(ValueError, match="order 1"):
        count_ngrams([TokenRun(ids=np.array([3]))], vocab_size=5, order=1)


def test_every_token_of_the_training_split_is_counted_once(tmp_path: Path) -> None:
    files = shard_files(str(write_dataset(tmp_path)), LoaderConfig())
    manifest = open_manifest(files)
    split = open_split(files, manifest, LoaderConfig(), split="train", seed=0)

    runs = list(training_runs(split))
    some = list(training_runs(split, most_tokens=100))

    tokens = sum(shard.tokens for shard in manifest.train.shards)
    assert count_ngrams(runs, vocab_size=97).tokens == tokens
    assert sum(run.is_start for run in runs) > 0
    assert sum(len(run.ids) for run in some) >= 100
