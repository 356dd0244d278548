"""Near and exact duplicates in Spark: signatures, candidates, verified edges, greedy removal.

Shuffles carry ids, order keys and hashes; texts are read once, for the signatures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from refinery.dedup.config import DedupConfig
from refinery.dedup.similarity import compare
from refinery.dedup.solving import ORDER
from schemas.tables import TABLES

EDGE_DDL = "left string, right string, jaccard float, containment float"


def keeper_order(ledger: DataFrame, sources: Sequence[str]) -> DataFrame:
    """(doc_id, source, place, worse, shorter): smaller tuples are kept first.

    The order is source priority, quality score, length, id; the score enters as an integer.
    """
    places = F.create_map(*(F.lit(x) for i, s in enumerate(sources) for x in (s, i)))
    score = F.coalesce(F.try_element_at("scores", F.lit("quality")), F.lit(0.0))
    return ledger.where("drop_reason is null").select(
        "doc_id",
        "source",
        places[F.col("source")].alias("place"),
        (-F.round(score * 1_000_000)).cast("int").alias("worse"),
        (-F.col("num_chars")).alias("shorter"),
    )


def mark_exact(signatures: DataFrame, order: DataFrame) -> DataFrame:
    """(doc_id, first_id) of documents whose text another one has that comes first."""
    rows = signatures.select("doc_id", "text_sha256").join(order, ["doc_id"], how="inner")
    groups = rows.groupBy("text_sha256").agg(
        F.min(F.struct(*ORDER)).alias("first"), F.count("*").alias("size")
    )
    firsts = groups.where("size > 1").select("text_sha256", F.col("first.doc_id").alias("first_id"))
    return (
        rows.join(firsts, ["text_sha256"], how="inner")
        .where("doc_id != first_id")
        .select("doc_id", "first_id")
    )


def bucket_members(signatures: DataFrame, order: DataFrame) -> DataFrame:
    """(band, key, doc_id, rank, size) of buckets with two members or more; rank from 1."""
    members = signatures.where("num_shingles > 0").join(order, ["doc_id", "source"], how="inner")
    rows = members.select(*ORDER, F.posexplode("bands").alias("band", "key"))
    bucket = Window.partitionBy("band", "key")
    whole = bucket.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    ranked = rows.withColumn("rank", F.row_number().over(bucket.orderBy(*ORDER))).withColumn(
        "size", F.count("*").over(whole)
    )
    return ranked.where("size > 1").select("band", "key", "doc_id", "rank", "size")


def capped_buckets(members: DataFrame, config: DedupConfig) -> DataFrame:
    """(band, key) of buckets whose pairs are not complete."""
    return members.where((F.col("size") > config.full_bucket) & (F.col("rank") == 1)).select(
        "band", "key"
    )


def candidate_pairs(members: DataFrame, config: DedupConfig) -> DataFrame:
    """Distinct (left, right), left first in the order.

    Buckets up to `full_bucket` members give every pair; larger ones compare each member with the
    first `anchors` in the order.
    """
    firsts = members.where(
        (F.col("size") <= config.full_bucket) | (F.col("rank") <= config.anchors)
    )
    left = firsts.select("band", "key", F.col("doc_id").alias("left"), F.col("rank").alias("first"))
    right = members.select("band", "key", F.col("doc_id").alias("right"), "rank")
    pairs = left.join(right, ["band", "key"], how="inner").where("first < rank")
    return pairs.select("left", "right").distinct()


def verified_edges(pairs: DataFrame, signatures: DataFrame, config: DedupConfig) -> DataFrame:
    """Candidate pairs whose true similarity passes, with both measures."""
    ends = pairs.select(F.col("left").alias("doc_id")).union(pairs.select("right")).distinct()
    sets = signatures.select("doc_id", "shingles").join(ends, ["doc_id"], how="left_semi")
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
