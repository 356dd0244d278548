from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from refinery.mixture.config import Rehydration, ScoreWeights
from refinery.mixture.copies import count_copies, rehydrated, with_factor

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


@pytest.fixture(scope="module")
def training(spark: SparkSession) -> DataFrame:
    rows = [(f"{n:032x}", "web" if n % 2 else "书", 10) for n in range(1000)]
    return spark.createDataFrame(rows, "doc_id string, source string, num_tokens int")


def copies(training: DataFrame, epochs: float) -> dict[str, int]:
    counted = count_copies(with_factor(training, training, None), {"web": epochs, "书": 1.0}, 3)
    return {row["doc_id"]: row["copies"] for row in counted.where("source = 'web'").collect()}


def test_fractional_epochs_are_whole_copies_and_a_hashed_share(training: DataFrame) -> None:
    found = copies(training, 2.3)

    assert set(found.values()) == {2, 3}
    assert 2.2 < sum(found.values()) / len(found) < 2.4


def test_raising_a_weight_only_adds_copies(training: DataFrame) -> None:
    smaller, larger = copies(training, 0.4), copies(training, 0.7)

    assert all(larger[doc_id] >= count for doc_id, count in smaller.items())
    assert sum(larger.values()) > sum(smaller.values())


def test_whole_epochs_are_exact(training: DataFrame) -> None:
    assert set(copies(training, 2.0).values()) == {2}
    assert set(copies(training, 0.0).values()) == {0}


def test_factor_is_linear_in_the_score(spark: SparkSession) -> None:
    rows = [("a", {"q": 0.0}), ("b", {"q": 0.25}), ("c", {"q": 1.0}), ("d", {"other": 1.0})]
    scores = spark.createDataFrame(rows, "doc_id string, scores map<string,double>")
    ids = spark.createDataFrame([(x,) for x in "abcde"], "doc_id string")

    found = with_factor(ids, scores, ScoreWeights(score="q", at_zero=0.5, at_one=2.5)).collect()

    assert {row["doc_id"]: row["factor"] / 1_000_000 for row in found} == {
        "a": 0.5,
        "b": 1.0,
        "c": 2.5,
        "d": 1.0,
        "e": 1.0,
    }


def test_a_score_in_nats_counts_between_its_ends(spark: SparkSession) -> None:
    rows = [
        (name, {"late": loss}) for name, loss in (("a", 0.1), ("b", 1.5), ("c", 2.5), ("d", 9.0))
    ]
    scores = spark.createDataFrame(rows, "doc_id string, scores map<string,double>")
    config = ScoreWeights(score="late", low=0.5, high=4.5, at_zero=0.0, at_one=2.0)

    found = with_factor(scores.select("doc_id"), scores, config).collect()

    factors = {row["doc_id"]: row["factor"] / 1_000_000 for row in found}
    assert factors == {"a": 0.0, "b": 0.5, "c": 1.0, "d": 2.0}


def test_ends_of_a_score_are_in_their_order() -> None:
    with pytest.raises(ValueError, match="need low < high"):
        ScoreWeights(score="late", low=2.0, high=2.0)


def test_rehydration_follows_the_size_of_the_group(spark: SparkSession) -> None:
    training = spark.createDataFrame(
        [("alone", 500_000), ("pair", 500_000), ("boilerplate", 500_000)],
        "doc_id string, factor bigint",
    )
    duplicates = spark.createDataFrame([("pair",)] + [("boilerplate",)] * 9, "kept_id string")
    config = Rehydration(factors={1: 1.0, 2: 1.5, 10: 0.5})

    found = rehydrated(training, duplicates, config)

    assert {r.doc_id: r.factor for r in found.collect()} == {
        "alone": 500_000,
        "pair": 750_000,
        "boilerplate": 250_000,
    }
    assert rehydrated(training, duplicates, None) is training


def test_rehydration_begins_at_single_documents() -> None:
    with pytest.raises(ValueError, match="begin at size 1"):
        Rehydration(factors={2: 1.5})
