from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from refinery.language.domains import DomainsConfig, HomographsConfig, domain_of
from refinery.language.homographs import divergences, find_homographs, words_with_offsets

CONFIG = HomographsConfig(window=2, min_count=5, stop_words=0, max_words=5)


def brute(one: Counter[str], other: Counter[str]) -> float:
    """Jensen-Shannon as the mean of two Kullback-Leibler divergences from the mean."""
    p = {k: n / one.total() for k, n in one.items()}
    q = {k: n / other.total() for k, n in other.items()}
    middle = {k: (p.get(k, 0) + q.get(k, 0)) / 2 for k in p | q}
    return sum(
        s * math.log2(s / middle[k]) / 2 for shares in (p, q) for k, s in shares.items() if s
    )


def neighbours(texts: list[str], word: str, window: int) -> Counter[str]:
    counted: Counter[str] = Counter()
    for text in texts:
        words = text.lower().split()
        for index, here in enumerate(words):
            if here == word:
                near = range(max(0, index - window), min(len(words), index + window + 1))
                counted.update(words[i] for i in near if i != index)
    return counted


def corpus() -> dict[str, list[str]]:
    generator = random.Random(3)
    shared = ["time", "place", "people", "small", "large", "old", "new", "good"]
    around = {"biology": ["membrane", "nucleus", "protein"], "prison": ["guard", "door", "key"]}
    texts = {}
    for domain, own in around.items():
        texts[domain] = [
            " ".join(
                word
                for _ in range(12)
                for word in (*generator.choices(shared, k=3), generator.choice(own), "cell",
                             generator.choice(own), *generator.choices(shared, k=3))
            )
            for _ in range(5)
        ]  # fmt: skip
    return texts


def test_divergences_are_those_of_the_definition() -> None:
    generator = np.random.default_rng(0)
    words, near = np.divmod(np.unique(generator.integers(0, 200, 120)), 20)
    one = generator.integers(0, 5, len(words)).astype(float)
    other = generator.integers(0, 5, len(words)).astype(float)

    found = divergences((words, near), (one, other), 11)

    for word in range(10):
        here = words == word
        columns = [
            Counter(dict(zip(near[here], c[here].astype(int), strict=True))) for c in (one, other)
        ]
        if all(column.total() for column in columns):
            assert found[word] == pytest.approx(brute(*columns), abs=1e-12)
        else:
            assert math.isnan(found[word])
    assert math.isnan(found[10])


def test_a_planted_homograph_leads_with_the_divergence_of_its_neighbours() -> None:
    texts = corpus()

    found = find_homographs(texts, CONFIG)

    first = found[0]
    assert (first.word, first.domains) == ("cell", ("biology", "prison"))
    assert first.counts == (60, 60)
    expected = brute(*(neighbours(texts[d], "cell", 2) for d in first.domains))
    assert first.divergence == pytest.approx(expected, abs=1e-4)
    assert first.by_chance < first.divergence / 3
    assert all(h.divergence - h.by_chance < 0.2 for h in found[1:] if h.word in ("time", "old"))
    for contexts, own in zip(
        first.contexts, ("membrane nucleus protein", "guard door key"), strict=True
    ):
        assert len(contexts) == 2
        assert all("cell" in text and any(w in text for w in own.split()) for text in contexts)


def test_stop_words_are_no_neighbours_and_rare_words_are_not_compared() -> None:
    texts = {"a": ["of x of y"] * 6 + ["rare x"], "b": ["of x of z"] * 6 + ["rare z"]}
    config = CONFIG.model_copy(update={"stop_words": 1})

    found = {h.word: h for h in find_homographs(texts, config)}

    assert set(found) == {"x"}
    assert found["x"].divergence == pytest.approx(
        brute(Counter(y=6, rare=1), Counter(z=6)), abs=1e-4
    )


def test_chinese_words_are_those_of_a_dictionary_and_others_whole() -> None:
    assert list(words_with_offsets("苹果手机，café don't 2 Москва")) == [
        ("苹果", 0), ("手机", 2), ("café", 5), ("don", 10), ("t", 14), ("Москва", 18),
    ]  # fmt: skip


def test_the_domain_of_a_document_is_its_best_head() -> None:
    assert domain_of({"quality": 0.9, "domain.law": 0.2, "domain.art": 0.4}) == "art"
    assert domain_of({"domain.law": 0.4, "domain.art": 0.4}) == "law"
    assert domain_of({"quality": 0.9}) is None


def test_each_domain_is_trained_against_all_others() -> None:
    config = DomainsConfig(sources={"law": ("a", "b"), "art": ("c",), "sport": ("d",)})

    head = config.heads["domain.art"]

    assert (head.positive, head.negative) == (("c",), ("a", "b", "d"))
    with pytest.raises(ValidationError, match="got twice: a"):
        DomainsConfig(sources={"law": ("a",), "art": ("a",)})
