from __future__ import annotations

import itertools
import random
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from refinery.dedup import marking
from refinery.dedup.components import connected_components
from refinery.dedup.config import DedupConfig
from refinery.dedup.lsh import shingle_sets
from refinery.dedup.signing import sign, with_spans
from refinery.dedup.solving import solve
from refinery.text_batch import TextBatch
from schemas.errors import PipelineError

CLEANED = (
    "doc_id string, source string, text string, scores map<string,double>, num_chars int,"
    " drop_reason string"
)


def persist(rows: DataFrame) -> DataFrame:
    return rows.localCheckpoint(eager=True)


def corpus(spark: SparkSession, texts: dict[str, str], *, parts: int = 2) -> DataFrame:
    rows: list[tuple[object, ...]] = [(i, "web", t, {}, len(t), None) for i, t in texts.items()]
    return spark.createDataFrame(rows, CLEANED).repartition(parts).localCheckpoint()


def deduplicate(
    cleaned: DataFrame, config: DedupConfig, edits: DataFrame | None = None
) -> list[Row]:
    order = marking.keeper_order(cleaned, ["web"])
    signed = persist(sign(with_spans(cleaned, edits), config))
    exact = persist(marking.mark_exact(signed, order))
    signatures = signed.join(exact, ["doc_id"], how="left_anti")
    members = marking.bucket_members(signatures, order)
    pairs = marking.candidate_pairs(members, config)
    edges = persist(marking.verified_edges(pairs, signatures, config))
    near = solve(edges, order, config, persist)
    return sorted(marking.duplicates(exact, near, edges, order).collect())


def planted() -> dict[str, str]:
    """English and Chinese texts with copies that differ in a few words, beside unlike ones."""
    generator = random.Random(5)
    english = [f"word{i}" for i in range(400)]
    chinese = [chr(c) for c in range(0x4E00, 0x4E00 + 800)]
    texts: dict[str, str] = {}
    for name, vocabulary, blank in (("en", english, " "), ("zh", chinese, "")):
        for number in range(6):
            tokens = generator.choices(vocabulary, k=200)
            texts[f"{name}{number:02}"] = blank.join(tokens)
            for copy, changes in enumerate((0, 1, 2, 4, 12)[: number % 6]):
                other = list(tokens)
                for place in generator.sample(range(200), changes):
                    other[place] = generator.choice(vocabulary)
                texts[f"{name}{number:02}-{copy}"] = blank.join(other)
    return texts


def expected_removals(texts: dict[str, str], threshold: float) -> dict[str, str]:
    """All pairs, exact arithmetic on shingles of strings, the rule as written."""

    def shingles(text: str) -> frozenset[tuple[str, ...]]:
        tokens = text.split() if " " in text else list(text)
        return frozenset(tuple(tokens[i : i + 5]) for i in range(max(1, len(tokens) - 4)))

    sets = {i: shingles(t) for i, t in texts.items()}
    order = sorted(texts, key=lambda i: (-len(texts[i]), i))
    kept: list[str] = []
    removed = {}
    for document in order:
        mine = sets[document]
        near = [k for k in kept if len(mine & sets[k]) >= threshold * len(mine | sets[k])]
        if near:
            removed[document] = near[0]
        else:
            kept.append(document)
    return removed


def test_removals_equal_brute_force_in_english_and_chinese(spark: SparkSession) -> None:
    texts = planted()
    certain = DedupConfig(num_bands=28, rows_per_band=4)

    rows = deduplicate(corpus(spark, texts), certain)

    assert {r.doc_id: r.kept_id for r in rows} == expected_removals(texts, 0.8)
    assert all(r.jaccard >= 0.8 for r in rows)
    assert {r.method for r in rows} == {"exact_text", "minhash"}


def test_partitions_and_the_way_of_solving_do_not_change_the_rows(spark: SparkSession) -> None:
    texts = planted()
    one_task = DedupConfig(num_bands=28, rows_per_band=4)
    by_cluster = one_task.model_copy(update={"max_component_edges": 5})
    in_rounds = one_task.model_copy(update={"max_component_edges": 1})

    first = deduplicate(corpus(spark, texts, parts=1), one_task)

    assert deduplicate(corpus(spark, texts, parts=3), by_cluster) == first
    assert deduplicate(corpus(spark, texts, parts=2), in_rounds) == first


def test_empty_and_one_word_texts_end_with_exact_copies_removed(spark: SparkSession) -> None:
    texts = {"a": "", "b": "", "c": "word", "d": "word", "e": "other"}

    rows = deduplicate(corpus(spark, texts), DedupConfig())

    assert [(r.doc_id, r.kept_id, r.method) for r in rows] == [
        ("b", "a", "exact_text"),
        ("d", "c", "exact_text"),
    ]


def test_one_page_many_times_in_small_variants_is_capped_and_verified(spark: SparkSession) -> None:
    words = [f"w{i}" for i in range(300)]
    texts = {f"{i:03}": " ".join([*words, f"x{i:03}"]) for i in range(150)}
    cleaned = corpus(spark, texts)
    config = DedupConfig()

    rows = deduplicate(cleaned, config)

    assert len(rows) == 149
    assert {r.kept_id for r in rows} == {"000"}
    assert min(r.jaccard for r in rows) == pytest.approx(296 / 298)
    members = marking.bucket_members(
        sign(with_spans(cleaned, None), config), marking.keeper_order(cleaned, ["web"])
    )
    pairs = marking.candidate_pairs(members, config)
    assert marking.capped_buckets(members, config).count() > 0
    assert 28 + 142 * 8 <= pairs.count() < 150 * 149 / 4


def test_edits_of_cleaning_are_applied_before_the_comparison(spark: SparkSession) -> None:
    words = " ".join(f"w{i}" for i in range(50))
    cleaned = corpus(spark, {"a": words, "b": f"banner\n{words}"})
    edits = spark.createDataFrame(
        [("b", 0, 7, "")], "doc_id string, start int, end int, replacement string"
    )

    rows = deduplicate(cleaned, DedupConfig(), edits)

    # The longer original comes first in the order: its length is counted before edits.
    assert [(r.doc_id, r.kept_id, r.method) for r in rows] == [("a", "b", "exact_text")]


def test_components_in_spark_end_at_the_smallest_id(spark: SparkSession) -> None:
    chain = [(f"c{i:02}", f"c{i + 1:02}") for i in range(20)]
    star = [("s0", f"s{i}") for i in range(1, 9)]
    edges = spark.createDataFrame([*chain, *star], "left string, right string")

    found = connected_components(edges, persist, max_rounds=20).collect()

    assert {r.doc_id: r.cluster for r in found} == {
        **{f"c{i:02}": "c00" for i in range(21)},
        **{f"s{i}": "s0" for i in range(9)},
    }


def test_components_that_do_not_converge_fail(spark: SparkSession) -> None:
    edges = spark.createDataFrame(
        [(f"{i:02}", f"{i + 1:02}") for i in range(30)], "left string, right string"
    )

    with pytest.raises(PipelineError, match="still change after 1 rounds"):
        connected_components(edges, persist, max_rounds=1)


DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "dedup"


@pytest.mark.skipif(not DATA.is_dir(), reason="the labelled articles are not beside the checkout")
@pytest.mark.parametrize("name", ["articles_100", "articles_1000"])
def test_labelled_articles_are_found_and_nothing_else(name: str) -> None:
    texts = dict(line.split(" ", 1) for line in (DATA / f"{name}.train").read_text().splitlines())
    labelled = {
        frozenset(line.split()) for line in (DATA / f"{name}.truth").read_text().splitlines()
    }
    sets = dict(zip(texts, shingle_sets(TextBatch.of(list(texts.values())), 5), strict=True))

    similar = {
        frozenset((a, b))
        for a, b in itertools.combinations(sets, 2)
        if 1.25 * min(len(sets[a]), len(sets[b])) >= max(len(sets[a]), len(sets[b]))
        and len(np.intersect1d(sets[a], sets[b], assume_unique=True)) * 1.8
        >= 0.8 * (len(sets[a]) + len(sets[b]))
    }

    assert similar == labelled
