"""Connected components in Spark by large-star and small-star (Kiveris et al. 2014).

The loop runs actions, as nothing else in this package does but the rounds of `solving`.
Every round starts from persisted rows, so a lost executor cannot change what the next round sees.
"""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.errors import PipelineError

# Writes rows where they survive the loss of an executor and reads them back.
Persist = Callable[[DataFrame], DataFrame]


def connected_components(edges: DataFrame, persist: Persist, *, max_rounds: int) -> DataFrame:
    """(doc_id, cluster) of every end of `edges` (left, right); the cluster is its smallest id.

    Raises:
        PipelineError: No convergence in `max_rounds`; a truncated answer would join too little.
    """
    ends = edges.select(F.col("left").alias("doc_id")).union(edges.select("right")).distinct()
    stars = persist(
        edges.select(
            F.greatest("left", "right").alias("high"), F.least("left", "right").alias("low")
        )
        .where("high != low")
        .distinct()
    )
    before = _fingerprint(stars)
    for _ in range(max_rounds):
        stars = persist(_small_star(_large_star(stars)))
        after = _fingerprint(stars)
        if after == before:
            joined = ends.join(stars.withColumnRenamed("high", "doc_id"), ["doc_id"], how="left")
            return joined.select("doc_id", F.coalesce("low", "doc_id").alias("cluster"))
        before = after
    raise PipelineError(
        f"connected components: {before[0]} edges still change after {max_rounds} rounds; "
        "raise recipe.dedup.max_rounds"
    )


def _fingerprint(stars: DataFrame) -> tuple[int, int]:
    """Rows and an order-free sum of their hashes; decimal, since ANSI mode forbids wrapping."""
    row = stars.agg(
        F.count("*").alias("rows"),
        F.sum(F.xxhash64("high", "low").cast("decimal(38,0)")).alias("hashes"),
    ).first()
    assert row is not None, "an aggregate without groups has one row"
    return int(row["rows"]), int(row["hashes"] or 0)


def _large_star(stars: DataFrame) -> DataFrame:
    """Every node ties its larger neighbours to the smallest of its neighbourhood."""
    both = stars.select(F.col("high").alias("node"), F.col("low").alias("other")).union(
        stars.select("low", "high")
    )
    smallest = both.groupBy("node").agg(F.least("node", F.min("other")).alias("least"))
    tied = both.where("other > node").join(smallest, ["node"], how="inner")
    return tied.select(F.col("other").alias("high"), F.col("least").alias("low")).distinct()


def _small_star(stars: DataFrame) -> DataFrame:
    """Every node ties itself and its smaller neighbours to the smallest of them."""
    smallest = stars.groupBy("high").agg(F.min("low").alias("least"))
    tied = stars.join(smallest, ["high"], how="inner").where("low != least")
    return (
        tied.select(F.col("low").alias("high"), F.col("least").alias("low"))
        .union(smallest.select("high", "least"))
        .distinct()
    )
