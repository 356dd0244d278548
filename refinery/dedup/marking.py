"""Near and exact duplicates in Spark: signatures, candidates, verified edges, greedy removal.

Shuffles carry ids, order keys and hashes; texts are read once, for the signatures. "Documents" are
narrow rows here: the keys of the order, hashes and bands, and `fresh`: whether the dump at hand
brought the document. All others come from earlier dumps and precede the fresh ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from refinery.dedup.config import DedupConfig
from refinery.dedup.similarity import compare
from refinery.dedup.solving import ORDER
from schemas.tables import TABLES

MEASURED_DDL = "left string, right string, by_bytes boolean, jaccard float, containment float"
MINHASH, EXACT_BYTES, EXACT_TEXT, SEEN = "minhash", "exact_bytes", "exact_text", "seen"


def keeper_order(
    ledger: DataFrame, dumps: Sequence[Sequence[str]], sources: Sequence[str], first_dump: int = 0
) -> DataFrame:
    """(doc_id, source, dump, source_rank, worse, shorter): smaller tuples are kept first.

    The order is dump, rank of the source in the recipe, quality score, length, id; the score enters
    as an integer.

    Args:
        ledger: Documents that cleaning dropped are left out.
        dumps: Sources of each dump, in order.
        sources: In the order of the recipe.
        first_dump: Number of the dumps of earlier runs, which all precede.
    """
    dump_of = {name: first_dump + i for i, names in enumerate(dumps) for name in names}
    score = F.coalesce(F.try_element_at("scores", F.lit("quality")), F.lit(0.0))
    return ledger.where("drop_reason is null").select(
        "doc_id",
        "source",
        _by_source(dump_of).alias("dump"),
        _by_source({name: rank for rank, name in enumerate(sources)}).alias("source_rank"),
        (-F.round(score * 1_000_000)).cast("int").alias("worse"),
        (-F.col("num_chars")).alias("shorter"),
    )


def _by_source(values: dict[str, int]) -> Column:
    return F.create_map(*(F.lit(x) for item in values.items() for x in item))[F.col("source")]


def fresh_documents(signed: DataFrame, order: DataFrame, payloads: DataFrame | None) -> DataFrame:
    """Narrow rows of signed documents; `payloads` has (doc_id, payload_sha256)."""
    narrow = signed.drop("shingles").join(order, ["doc_id", "source"], how="inner")
    if payloads is None:
        hashed = narrow.withColumn("payload_sha256", F.lit(None).cast("string"))
    else:
        hashed = narrow.join(payloads, ["doc_id"], how="left")
    return hashed.withColumn("fresh", F.lit(True))


def mark_exact(fresh: DataFrame, known: DataFrame | None) -> DataFrame:
    """Fresh documents with `exact`, `first_id` and `first_source`: what each is an exact copy of.

    `exact` is the method, null where no document before it has the text. A document that earlier dumps
    hold too is always marked, and never the first of a text.

    Args:
        fresh: Narrow rows of this dump.
        known: Narrow rows of earlier dumps, each once; None where this is the first one.
    """
    if known is None:
        rows = fresh.withColumn("seen_source", F.lit(None).cast("string"))
    else:
        held = known.select("doc_id", F.col("source").alias("seen_source"))
        earlier = known.select(*ORDER, "source", "text_sha256", "payload_sha256", "fresh")
        rows = fresh.join(held, ["doc_id"], how="left")
        rows = rows.unionByName(earlier, allowMissingColumns=True)
    is_seen = F.col("seen_source").isNotNull()
    # A minimum over all rows of a text, not the first of an order: nothing is sorted.
    key = F.when(~is_seen, F.struct(*ORDER, "source", "payload_sha256"))
    firsts = rows.withColumn("first", F.min(key).over(Window.partitionBy("text_sha256")))
    same_bytes = F.coalesce(F.col("payload_sha256") == F.col("first.payload_sha256"), F.lit(False))
    by = F.when(same_bytes, EXACT_BYTES).otherwise(EXACT_TEXT)
    return firsts.where("fresh").select(
        *fresh.columns,
        F.when(is_seen, SEEN).when(F.col("first.doc_id") != F.col("doc_id"), by).alias("exact"),
        F.coalesce("first.doc_id", "doc_id").alias("first_id"),
        F.coalesce("first.source", "seen_source").alias("first_source"),
    )


def bucket_members(documents: DataFrame) -> DataFrame:
    """(band, key, doc_id, fresh, rank, size) of buckets with two members or more; rank from 1."""
    members = documents.where("num_shingles > 0")
    rows = members.select(*ORDER, "fresh", F.posexplode("bands").alias("band", "key"))
    bucket = Window.partitionBy("band", "key")
    whole = bucket.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    ranked = rows.withColumn("rank", F.row_number().over(bucket.orderBy(*ORDER))).withColumn(
        "size", F.count("*").over(whole)
    )
    return ranked.where("size > 1").select("band", "key", "doc_id", "fresh", "rank", "size")


def capped_buckets(members: DataFrame, config: DedupConfig) -> DataFrame:
    """(band, key, size, doc_id of the first) of buckets whose pairs are not complete."""
    return members.where((F.col("size") > config.full_bucket) & (F.col("rank") == 1)).select(
        "band", "key", "size", "doc_id"
    )


def candidate_pairs(members: DataFrame, config: DedupConfig) -> DataFrame:
    """Distinct (left, right) whose right is fresh, left first in the order.

    Buckets up to `full_bucket` members give every pair; larger ones compare each member with the
    first `anchors` in the order.
    """
    firsts = members.where(
        (F.col("size") <= config.full_bucket) | (F.col("rank") <= config.anchors)
    )
    left = firsts.select("band", "key", F.col("doc_id").alias("left"), F.col("rank").alias("first"))
    right = members.where("fresh").select("band", "key", F.col("doc_id").alias("right"), "rank")
    pairs = left.join(right, ["band", "key"], how="inner").where("first < rank")
    return pairs.select("left", "right").distinct()


def same_payload_pairs(documents: DataFrame) -> DataFrame:
    """(left, right) of fresh documents with the bytes of one that comes first, but another text.

    The same bytes give another text where their charset was declared otherwise.
    """
    same = Window.partitionBy("payload_sha256")
    first = F.min(F.struct(*ORDER)).over(same)
    rows = documents.where("payload_sha256 is not null").select("doc_id", "fresh", first["doc_id"])
    named = rows.toDF("right", "fresh", "left")
    return named.where("fresh and left != right").select("left", "right")


def with_payload_pairs(pairs: DataFrame, same_payload: DataFrame | None) -> DataFrame:
    """(left, right, by_bytes), each pair once."""
    if same_payload is None:
        return pairs.withColumn("by_bytes", F.lit(False))
    both = pairs.withColumn("by_bytes", F.lit(False)).union(
        same_payload.withColumn("by_bytes", F.lit(True))
    )
    return both.groupBy("left", "right").agg(F.max("by_bytes").alias("by_bytes"))


def verified_edges(pairs: DataFrame, sets: DataFrame, config: DedupConfig) -> DataFrame:
    """Pairs (left, right, by_bytes) that may remove: the `edges` table, with both measures.

    A candidate passes by its true similarity, a pair of equal bytes always.

    Args:
        sets: (doc_id, shingles) of all ends.
    """
    left = sets.select(F.col("doc_id").alias("left"), F.col("shingles").alias("left_set"))
    right = sets.select(F.col("doc_id").alias("right"), F.col("shingles").alias("right_set"))
    joined = pairs.join(left, ["left"], how="inner").join(right, ["right"], how="inner")
    measured = joined.select("left", "right", "by_bytes", "left_set", "right_set").mapInArrow(
        _compare_batches, MEASURED_DDL
    )
    passes = F.col(config.measure) >= config.threshold
    method = F.when(passes, MINHASH).otherwise(EXACT_BYTES)
    return (
        measured.where(passes | F.col("by_bytes"))
        .withColumn("method", method)
        .select(*TABLES["edges"].column_names)
    )


def pair_ends(pairs: DataFrame) -> DataFrame:
    """(doc_id) of both sides, each once."""
    return pairs.select(F.col("left").alias("doc_id")).union(pairs.select("right")).distinct()


def _compare_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        lefts, rights = batch.column("left_set"), batch.column("right_set")
        pairs = [
            compare(
                lefts[i].values.to_numpy().view(np.uint32),
                rights[i].values.to_numpy().view(np.uint32),
            )
            for i in range(batch.num_rows)
        ]
        yield pa.RecordBatch.from_arrays(
            [
                batch.column("left"),
                batch.column("right"),
                batch.column("by_bytes"),
                pa.array([p.jaccard for p in pairs], pa.float32()),
                pa.array([p.containment for p in pairs], pa.float32()),
            ],
            ["left", "right", "by_bytes", "jaccard", "containment"],
        )


def duplicates(marked: DataFrame, near: DataFrame, edges: DataFrame) -> DataFrame:
    """The `duplicates` table of the dump.

    Exact copies follow their first copy to whatever document is kept.

    Args:
        marked: The rows of `mark_exact`.
        near: The rows of `solve` over all edges; documents of earlier dumps are left out.
        edges: Verified pairs of this dump and of the earlier ones.
    """
    measured = edges.select(
        F.col("right").alias("doc_id"),
        F.col("left").alias("kept_id"),
        "jaccard",
        "containment",
        "method",
    )
    columns = TABLES["duplicates"].column_names
    by_edge = near.join(measured, ["doc_id", "kept_id"], how="inner")
    firsts = by_edge.drop("source", "fresh").withColumnsRenamed(
        {"doc_id": "first_id", "method": "by"}
    )
    copies = marked.where("exact is not null").join(firsts, ["first_id"], how="left")
    followed = copies.select(
        "doc_id",
        "source",
        F.coalesce("kept_id", "first_id").alias("kept_id"),
        F.coalesce("kept_source", "first_source").alias("kept_source"),
        F.coalesce("jaccard", F.lit(1.0).cast("float")).alias("jaccard"),
        F.coalesce("containment", F.lit(1.0).cast("float")).alias("containment"),
        F.when(F.col("exact") == SEEN, SEEN).otherwise(F.coalesce("by", "exact")).alias("method"),
        F.coalesce("cluster", "first_id").alias("cluster"),
    )
    return by_edge.where("fresh").select(columns).union(followed.select(columns))
