"""Near and exact duplicates in Spark: signatures, candidates, verified edges, greedy removal.

Shuffles carry ids, order keys and hashes; texts are read once, for the signatures.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from refinery.dedup.config import DedupConfig
from refinery.dedup.greedy import greedy_removals
from refinery.dedup.lsh import band_hashes, scheme_name, shingle_sets, signature
from refinery.dedup.similarity import compare
from refinery.text_batch import TextBatch
from schemas.tables import SIGNATURES, TABLES

EDGE_DDL = "left string, right string, jaccard float, containment float"
ORDER = ("place", "worse", "shorter", "doc_id")


def keeper_order(cleaned: DataFrame, sources: Sequence[str]) -> DataFrame:
    """(doc_id, source, text_key, place, worse, shorter): smaller tuples are kept first.

    The order is source priority, quality score, length, id; the score enters as an integer.
    """
    places = F.create_map(*(F.lit(x) for i, s in enumerate(sources) for x in (s, i)))
    score = F.coalesce(F.try_element_at("scores", F.lit("quality")), F.lit(0.0))
    return cleaned.where("drop_reason is null").select(
        "doc_id",
        "source",
        F.sha2(F.col("text"), 256).alias("text_key"),
        places[F.col("source")].alias("place"),
        (-F.round(score * 1_000_000)).cast("int").alias("worse"),
        (-F.col("num_chars")).alias("shorter"),
    )


def mark_exact(order: DataFrame) -> DataFrame:
    """(doc_id, first_id) of documents whose text another one has that comes first."""
    window = Window.partitionBy("text_key").orderBy(*ORDER)
    return (
        order.withColumn("first_id", F.first_value("doc_id").over(window))
        .where("doc_id != first_id")
        .select("doc_id", "first_id")
    )


def sign(cleaned: DataFrame, config: DedupConfig) -> DataFrame:
    """The `signatures` table of the documents that no rule dropped."""
    run = functools.partial(_sign_batches, config=config)
    rows = cleaned.where("drop_reason is null").select("doc_id", "source", "text")
    return rows.mapInArrow(run, SIGNATURES.ddl)


def _sign_batches(
    batches: Iterator[pa.RecordBatch], *, config: DedupConfig
) -> Iterator[pa.RecordBatch]:
    num = config.num_bands * config.rows_per_band
    for batch in batches:
        sets = shingle_sets(TextBatch.of(batch.column("text").to_pylist()), config.shingle_tokens)
        bands = [band_hashes(signature(s, num, config.seed), config) for s in sets]
        lengths = [len(s) for s in sets]
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
        flat = np.concatenate([*sets, np.zeros(0, np.uint64)]).view(np.int64)
        yield pa.RecordBatch.from_arrays(
            [
                batch.column("doc_id"),
                batch.column("source"),
                pa.array([scheme_name(config)] * len(sets), pa.string()),
                pa.array(lengths, pa.int32()),
                pa.array(bands, pa.list_(pa.int64())),
                pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat)),
            ],
            SIGNATURES.column_names,
        )


def bucket_members(signatures: DataFrame, order: DataFrame) -> DataFrame:
    """(band, key, doc_id, rank, size) of buckets with two members or more; rank from 1."""
    members = signatures.where("num_shingles > 0").join(order, ["doc_id", "source"], how="inner")
    rows = members.select(*ORDER, F.posexplode("bands").alias("band", "key"))
    bucket = Window.partitionBy("band", "key")
    ranked = rows.withColumn("rank", F.row_number().over(bucket.orderBy(*ORDER))).withColumn(
        "size", F.count("*").over(bucket)
    )
    return ranked.where("size > 1").select("band", "key", "doc_id", "rank", "size")


def candidate_pairs(members: DataFrame, config: DedupConfig) -> DataFrame:
    """Distinct (left, right), left first in the order.

    Buckets up to `full_bucket` members give every pair; larger ones compare each member with the
    first `anchors` in the order.
    """
    firsts = members.where((F.col("size") <= config.full_bucket) | (F.col("rank") <= config.anchors))
    left = firsts.select("band", "key", F.col("doc_id").alias("left"), F.col("rank").alias("first"))
    right = members.select("band", "key", F.col("doc_id").alias("right"), "rank")
    pairs = left.join(right, ["band", "key"], how="inner").where("first < rank")
    return pairs.select("left", "right").distinct()


def verified_edges(pairs: DataFrame, signatures: DataFrame, config: DedupConfig) -> DataFrame:
    """Candidate pairs whose true similarity passes, with both measures."""
    sets = signatures.select("doc_id", "shingles")
    left = sets.select(F.col("doc_id").alias("left"), F.col("shingles").alias("left_set"))
    right = sets.select(F.col("doc_id").alias("right"), F.col("shingles").alias("right_set"))
    joined = pairs.join(left, ["left"], how="inner").join(right, ["right"], how="inner")
    compared = joined.select("left", "right", "left_set", "right_set").mapInArrow(
        _compare_batches, EDGE_DDL
    )
    return compared.where(F.col(config.measure) >= config.threshold)


def _compare_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        lefts, rights = batch.column("left_set"), batch.column("right_set")
        pairs = [
            compare(
                lefts[i].values.to_numpy().view(np.uint64),
                rights[i].values.to_numpy().view(np.uint64),
            )
            for i in range(batch.num_rows)
        ]
        yield pa.RecordBatch.from_arrays(
            [
                batch.column("left"),
                batch.column("right"),
                pa.array([p.jaccard for p in pairs], pa.float32()),
                pa.array([p.containment for p in pairs], pa.float32()),
            ],
            ["left", "right", "jaccard", "containment"],
        )


def solve(edges: DataFrame, order: DataFrame) -> DataFrame:
    """(doc_id, kept_id, cluster) of near duplicates, by the greedy rule, in one task.

    Only documents with a verified edge take part: a few per cent of a corpus, two ids and three
    integers each.
    """
    ends = edges.select(F.col("left").alias("doc_id")).union(edges.select("right")).distinct()
    nodes = ends.join(order, ["doc_id"], how="inner")
    tagged = nodes.select(*ORDER, F.lit(None).cast("string").alias("other")).unionByName(
        edges.select(
            F.lit(0).alias("place"),
            F.lit(0).alias("worse"),
            F.lit(0).alias("shorter"),
            F.col("left").alias("doc_id"),
            F.col("right").alias("other"),
        )
    )
    return tagged.coalesce(1).mapInArrow(
        _solve_batches, "doc_id string, kept_id string, cluster string"
    )


def _solve_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    nodes: list[tuple[int, int, int, str]] = []
    edges: list[tuple[str, str]] = []
    for batch in batches:
        for row in batch.to_pylist():
            if row["other"] is None:
                nodes.append((row["place"], row["worse"], row["shorter"], row["doc_id"]))
            else:
                edges.append((row["doc_id"], row["other"]))
    removed = greedy_removals([node[3] for node in sorted(nodes)], edges)
    cluster = components(edges)
    rows = sorted(removed.items())
    yield pa.RecordBatch.from_arrays(
        [
            pa.array([doc for doc, _ in rows], pa.string()),
            pa.array([kept for _, kept in rows], pa.string()),
            pa.array([cluster[doc] for doc, _ in rows], pa.string()),
        ],
        ["doc_id", "kept_id", "cluster"],
    )


def components(edges: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Smallest member of each document's connected component (union-find, path halving)."""
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for left, right in edges:
        low, high = sorted((root(left), root(right)))
        parent[high] = low
    return {node: root(node) for node in parent}


def duplicates(exact: DataFrame, near: DataFrame, edges: DataFrame, order: DataFrame) -> DataFrame:
    """The `duplicates` table: exact copies follow their first copy to whatever document is kept."""
    measured = edges.select(
        F.col("right").alias("doc_id"), F.col("left").alias("kept_id"), "jaccard", "containment"
    )
    by_edge = near.join(measured, ["doc_id", "kept_id"], how="inner").withColumn(
        "method", F.lit("minhash")
    )
    copies = exact.join(
        by_edge.withColumnRenamed("doc_id", "first_id"), ["first_id"], how="left"
    ).select(
        "doc_id",
        F.coalesce("kept_id", "first_id").alias("kept_id"),
        F.coalesce("jaccard", F.lit(1.0)).alias("jaccard"),
        F.coalesce("containment", F.lit(1.0)).alias("containment"),
        F.coalesce("method", F.lit("exact_text")).alias("method"),
        F.coalesce("cluster", "first_id").alias("cluster"),
    )
    rows = by_edge.unionByName(copies)
    named = order.select("doc_id", "source")
    kept = order.select(F.col("doc_id").alias("kept_id"), F.col("source").alias("kept_source"))
    joined = rows.join(named, ["doc_id"], how="inner").join(kept, ["kept_id"], how="inner")
    return joined.select(*TABLES["duplicates"].column_names)
