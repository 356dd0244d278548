"""What the report says about clusters: how many of which size, and the largest ones."""

from __future__ import annotations

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def cluster_sizes(duplicates: DataFrame) -> DataFrame:
    """(cluster, kept, removed, weakest, sample_kept, sample_removed) by connected component."""
    return duplicates.groupBy("cluster").agg(
        F.countDistinct("kept_id").alias("kept"),
        F.count("*").alias("removed"),
        F.min("jaccard").alias("weakest"),
        F.min(F.struct("kept_id", "doc_id", "source")).alias("sample"),
    )


def histogram(clusters: DataFrame) -> dict[str, int]:
    """Clusters by size, in powers of two: "2-3", "4-7", ...; at most 63 entries."""
    power = F.floor(F.log2(F.col("kept") + F.col("removed"))).cast("int")
    rows = clusters.groupBy(power.alias("power")).count().orderBy("power").collect()
    return {f"{2 ** r['power']}-{2 ** (r['power'] + 1) - 1}": r["count"] for r in rows}


def largest(clusters: DataFrame, *, most: int) -> list[dict[str, Any]]:
    """The clusters with most removed documents, each with one removed document and its keeper."""
    rows = clusters.orderBy(F.desc("removed"), "cluster").limit(most).collect()
    return [
        {
            "cluster": row["cluster"],
            "kept": row["kept"],
            "removed": row["removed"],
            "weakest_jaccard": round(float(row["weakest"]), 4),
            "sample": row["sample"].asDict(),
        }
        for row in rows
    ]
