"""Turn fetches into documents: one row per id, and samples."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

HASH_BITS = 60


def find_refetches(fetches: DataFrame) -> DataFrame:
    """Fetches whose doc_id another fetch carries, with the file of the one that stays.

    The total order is (source priority, time, file, offset): it does not depend on partitions. Only
    these and the ids are shuffled, never payloads.
    """
    locations = fetches.select("doc_id", "source", "priority", "fetched_at", "file", "offset")
    order = Window.partitionBy("doc_id").orderBy(
        F.col("priority"), F.col("fetched_at").asc_nulls_last(), "file", "offset"
    )
    ranked = locations.withColumn("rank", F.row_number().over(order)).withColumn(
        "kept_file", F.first_value("file").over(order)
    )
    return ranked.where("rank > 1").select("doc_id", "source", "file", "offset", "kept_file")


def documents(fetches: DataFrame, refetches: DataFrame) -> DataFrame:
    """One row per doc_id, payload included, with `num_fetches`.

    The few losers leave by an anti-join on file and offset; payloads stay where they were written.
    """
    losers = refetches.select("source", "file", "offset")
    counts = refetches.groupBy("doc_id").agg((F.count("*") + 1).cast("int").alias("num_fetches"))
    winners = fetches.join(F.broadcast(losers), ["source", "file", "offset"], how="left_anti")
    return winners.join(F.broadcast(counts), ["doc_id"], how="left").withColumn(
        "num_fetches", F.coalesce("num_fetches", F.lit(1))
    )


def hash_share(seed: int, *columns: str) -> Column:
    """A number in [0, 2**60) from the seed and columns: equal on every machine and partition."""
    text = F.concat_ws("\u001f", F.lit(str(seed)), *columns)
    return F.conv(F.substring(F.sha2(text, 256), 1, HASH_BITS // 4), 16, 10).cast("bigint")


def sample_documents(rows: DataFrame, fraction: float | None, seed: int) -> DataFrame:
    """Keep a share of the documents by hash of their id; a larger share contains a smaller one."""
    if fraction is None:
        return rows
    return rows.where(hash_share(seed, "doc_id") < int(fraction * 2**HASH_BITS))
