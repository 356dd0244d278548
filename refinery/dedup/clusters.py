"""What the report says about clusters: how many of which size, and the largest ones."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from refinery.dedup.facts import ClusterSample, LargestCluster
from refinery.dedup.solving import ORDER


def cluster_members(duplicates: DataFrame, edges: DataFrame, order: DataFrame) -> DataFrame:
    """The `clusters` table: every document with an edge or an exact copy, and its cluster's first one.

    Edges and exact copies connect: a copy belongs to the cluster of the document that it equals.

    Args:
        duplicates: Rows of the table of that name, of one dump.
        edges: All verified pairs of the dump; one end of each has a row in `duplicates`.
        order: The `ORDER` columns of every document.
    """
    named = duplicates.select(F.col("doc_id").alias("end"), F.col("cluster").alias("label"))
    sides = [
        edges.select(F.col(end).alias("end"), F.array("left", "right").alias("both"))
        for end in ("left", "right")
    ]
    linked = (
        sides[0]
        .union(sides[1])
        .join(named, ["end"], how="inner")
        .select(F.explode("both").alias("doc_id"), "label")
        .distinct()
    )
    # A removed document that no edge names is an exact copy; its keeper may have edges of its own.
    copies = (
        duplicates.select("doc_id", "kept_id")
        .join(linked.select("doc_id"), ["doc_id"], how="left_anti")
        .join(linked.withColumnRenamed("doc_id", "kept_id"), ["kept_id"], how="left")
        .withColumn("label", F.coalesce("label", "kept_id"))
    )
    alone = copies.select(F.explode(F.array("doc_id", "kept_id")).alias("doc_id"), "label")
    members = linked.union(alone).distinct().join(order.select(*ORDER), ["doc_id"], how="inner")
    firsts = members.groupBy("label").agg(
        F.min("doc_id").alias("cluster"), F.min(F.struct(*ORDER)).alias("first")
    )
    return (
        members.select("doc_id", "label")
        .join(firsts, ["label"], how="inner")
        .select("doc_id", "cluster", F.col("first.doc_id").alias("first_id"))
    )


def cluster_sizes(duplicates: DataFrame, edges: DataFrame) -> DataFrame:
    """(cluster, kept, removed, weakest, sample) by connected component.

    `weakest` is the least similarity of all edges inside the cluster, not only of those that
    removed a document. One end of each edge is removed, so its row names the edge's cluster.
    """
    sizes = duplicates.groupBy("cluster").agg(
        F.countDistinct("kept_id").alias("kept"),
        F.count("*").alias("removed"),
        F.min(F.struct("jaccard", "kept_id", "doc_id", "source")).alias("sample"),
    )
    named = duplicates.select("doc_id", "cluster")
    sides = [
        edges.select(F.col(end).alias("doc_id"), "jaccard").join(named, ["doc_id"], how="inner")
        for end in ("left", "right")
    ]
    links = sides[0].union(sides[1]).groupBy("cluster").agg(F.min("jaccard").alias("link"))
    joined = sizes.join(links, ["cluster"], how="left")
    return joined.withColumn("weakest", F.coalesce("link", F.lit(1.0).cast("float"))).drop("link")


def histogram(clusters: DataFrame) -> dict[str, int]:
    """Clusters by size, in powers of two: "2-3", "4-7", ...; at most 63 entries."""
    power = F.floor(F.log2(F.col("kept") + F.col("removed"))).cast("int")
    rows = clusters.groupBy(power.alias("power")).count().orderBy("power").collect()
    return {f"{2 ** r['power']}-{2 ** (r['power'] + 1) - 1}": r["count"] for r in rows}


def largest(clusters: DataFrame, *, most: int) -> tuple[LargestCluster, ...]:
    """The clusters with most removed documents, each with its least alike removed pair."""
    rows = clusters.orderBy(F.desc("removed"), "cluster").limit(most).collect()
    return tuple(
        LargestCluster(
            cluster=row["cluster"],
            kept=row["kept"],
            removed=row["removed"],
            weakest_jaccard=round(float(row["weakest"]), 4),
            sample=ClusterSample(
                kept_id=row["sample"]["kept_id"],
                doc_id=row["sample"]["doc_id"],
                source=row["sample"]["source"],
            ),
        )
        for row in rows
    )
