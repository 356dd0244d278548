from __future__ import annotations

import itertools
import random
from collections import defaultdict
from pathlib import Path

import networkx as nx
import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from refinery.dedup import marking
from refinery.dedup.clusters import cluster_sizes
from refinery.dedup.components import connected_components
from refinery.dedup.config import DedupConfig
from refinery.dedup.dumps import Compared, compare_dump
from refinery.dedup.signatures import ShingleSets, hash_bands, sign_sets
from refinery.dedup.signing import sign, with_spans
from refinery.dedup.similarity import compare as similarity
from refinery.dedup.solving import END, solve
from refinery.text.utf8 import Texts
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
    return sorted(compare(cleaned, config, edits).duplicates.collect())


def compare(
    cleaned: DataFrame,
    config: DedupConfig,
    edits: DataFrame | None = None,
    payloads: DataFrame | None = None,
) -> Compared:
    order = marking.keeper_order(cleaned, [["web"]], ["web"])
    signed = persist(sign(with_spans(cleaned, edits), config))
    fresh = persist(marking.fresh_documents(signed, order, payloads))
    return compare_dump(fresh, signed.select("doc_id", "shingles"), None, config, persist)


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

    compared = compare(cleaned, config)
    rows = compared.duplicates.collect()

    assert len(rows) == 149
    assert {r.kept_id for r in rows} == {"000"}
    assert min(r.jaccard for r in rows) == pytest.approx(296 / 298)
    assert marking.capped_buckets(compared.members, config).count() > 0
    assert 28 + 142 * 8 <= compared.pairs.count() < 150 * 149 / 4


def test_equal_bytes_are_told_from_equal_text(spark: SparkSession) -> None:
    words = " ".join(f"w{i}" for i in range(50))
    other = " ".join(f"v{i}" for i in range(40))
    cleaned = corpus(spark, {"a": words, "b": words, "c": words, "d": other})
    payloads = spark.createDataFrame(
        [("a", "x"), ("b", "x"), ("c", "y"), ("d", "x")], "doc_id string, payload_sha256 string"
    )

    rows = compare(cleaned, DedupConfig(), None, payloads).duplicates.collect()

    # The bytes of d are those of a, read in another charset: the row says how unlike the texts are.
    assert sorted((r.doc_id, r.kept_id, r.method, r.jaccard) for r in rows) == [
        ("b", "a", "exact_bytes", 1.0),
        ("c", "a", "exact_text", 1.0),
        ("d", "a", "exact_bytes", 0.0),
    ]


def test_the_weakest_link_is_that_of_all_edges(spark: SparkSession) -> None:
    duplicates = spark.createDataFrame(
        [("b", "web", "a", 0.9, "a"), ("c", "web", "a", 0.95, "a")],
        "doc_id string, source string, kept_id string, jaccard float, cluster string",
    )
    edges = spark.createDataFrame(
        [("a", "b", 0.9), ("a", "c", 0.95), ("b", "c", 0.81)],
        "left string, right string, jaccard float",
    )

    (row,) = cluster_sizes(duplicates, edges).collect()

    assert (row.kept, row.removed, round(row.weakest, 2)) == (1, 2, 0.81)


def test_edits_of_cleaning_are_applied_before_the_comparison(spark: SparkSession) -> None:
    words = " ".join(f"w{i}" for i in range(50))
    cleaned = corpus(spark, {"a": words, "b": f"banner\n{words}"})
    edits = spark.createDataFrame(
        [("b", 0, 7, "")], "doc_id string, start int, end int, replacement string"
    )

    rows = deduplicate(cleaned, DedupConfig(), edits)

    # The longer original comes first in the order: its length is counted before edits.
    assert [(r.doc_id, r.kept_id, r.method) for r in rows] == [("a", "b", "exact_text")]


def graphs() -> dict[str, nx.Graph]:
    """Kinds of graphs that stars converge on at different speeds."""
    path = list(nx.path_graph(40).edges)
    scrambled = {n: (n * 17) % 40 for n in range(40)}
    return {
        "random": nx.gnm_random_graph(60, 70, seed=4),
        "sparse": nx.gnm_random_graph(60, 25, seed=5),
        "star": nx.star_graph(30),
        "chain": nx.Graph(path),
        # Neighbours of a chain whose ids lie far apart: the slowest case of small-star.
        "adversarial": nx.relabel_nodes(nx.Graph(path), scrambled),
        "skewed": nx.barabasi_albert_graph(60, 2, seed=1),
        "dense": nx.complete_graph(12),
    }


def named_edges() -> tuple[list[tuple[str, str]], nx.Graph]:
    edges = [
        (f"{name}-{a:02}", f"{name}-{b:02}")
        for name, graph in graphs().items()
        for a, b in graph.edges
    ]
    return edges, nx.Graph(edges)


def test_components_in_spark_are_those_of_networkx(spark: SparkSession) -> None:
    edges, graph = named_edges()

    found = connected_components(
        spark.createDataFrame(edges, "left string, right string"), persist, max_rounds=40
    ).collect()

    expected = {n: min(part) for part in nx.connected_components(graph) for n in part}
    assert {r.doc_id: r.cluster for r in found} == expected


# 40: chains and the star are solved in one task each, the dense ones by rounds.
@pytest.mark.parametrize("most_edges", [1_000_000, 40])
def test_solving_equals_the_rule_as_written_on_every_graph(
    spark: SparkSession, most_edges: int
) -> None:
    edges, graph = named_edges()
    ids = sorted(graph.nodes)
    place = {n: int.from_bytes(n.encode()[::-1]) % 97 for n in ids}
    order = spark.createDataFrame(
        [(0, place[n], 0, 0, n, f"source {n}", place[n] > 0) for n in ids],
        "dump int, source_rank int, worse int, shorter int, doc_id string, source string, fresh boolean",
    ).select(*END)
    config = DedupConfig(max_component_edges=most_edges)

    oriented = [tuple(sorted(edge, key=lambda n: (place[n], n))) for edge in edges]
    solved = solve(
        spark.createDataFrame(oriented, "left string, right string"), order, config, persist
    ).collect()

    kept: list[str] = []
    removed = {}
    for node in sorted(ids, key=lambda n: (place[n], n)):
        near = [k for k in kept if graph.has_edge(k, node)]
        if near:
            removed[node] = near[0]
        else:
            kept.append(node)
    assert {r.doc_id: r.kept_id for r in solved} == removed
    assert all(r.source == f"source {r.doc_id}" for r in solved)
    assert all(r.kept_source == f"source {r.kept_id}" for r in solved)
    assert all(r.fresh == (place[r.doc_id] > 0) for r in solved)
    components = {n: min(part) for part in nx.connected_components(graph) for n in part}
    assert all(r.cluster == components[r.doc_id] for r in solved)


def test_components_that_do_not_converge_fail(spark: SparkSession) -> None:
    edges = spark.createDataFrame(
        [(f"{i:02}", f"{i + 1:02}") for i in range(30)], "left string, right string"
    )

    with pytest.raises(PipelineError, match="still change after 1 rounds"):
        connected_components(edges, persist, max_rounds=1)


DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "dedup"


@pytest.mark.skipif(not DATA.is_dir(), reason="the labelled articles are not beside the checkout")
@pytest.mark.parametrize("name", ["articles_100", "articles_1000", "articles_2500"])
def test_labelled_articles_are_found_and_nothing_else(name: str) -> None:
    texts = dict(line.split(" ", 1) for line in (DATA / f"{name}.train").read_text().splitlines())
    labelled = {
        frozenset(line.split()) for line in (DATA / f"{name}.truth").read_text().splitlines()
    }
    config = DedupConfig()
    all_sets = ShingleSets.of(Texts.of(list(texts.values())), 5)
    sets = dict(zip(texts, all_sets, strict=True))
    bands_of = hash_bands(sign_sets(all_sets, 14 * 8, config.seed), 14).tolist()
    buckets = defaultdict(list)
    for article, bands in zip(sets, bands_of, strict=True):
        for band in enumerate(bands):
            buckets[band].append(article)

    candidates = {
        frozenset(pair)
        for members in buckets.values()
        for pair in itertools.combinations(members, 2)
    }
    found = {pair for pair in candidates if similarity(*(sets[a] for a in pair)).jaccard >= 0.8}

    assert found == labelled
