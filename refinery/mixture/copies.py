"""Copies per document: whole epochs for all, one more for a hashed share of them."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from refinery.mixture.config import Rehydration, ScoreWeights
from refinery.sources.selection import HASH_BITS, hash_share

MICRO = 1_000_000


def with_factor(training: DataFrame, scores: DataFrame, config: ScoreWeights | None) -> DataFrame:
    """Add `factor`, in millionths: how much of its source's epochs a document gets.

    Linear in the score between the two ends of the recipe, in integers, so that no machine rounds
    it otherwise; a document without that score counts 1.

    Args:
        training: Rows with doc_id.
        scores: One row per document, with doc_id and scores (a map).
        config: None gives every document the factor 1.
    """
    if config is None:
        return training.withColumn("factor", F.lit(MICRO).cast("bigint"))
    micro = F.floor(F.try_element_at("scores", F.lit(config.score)) * MICRO).cast("bigint")
    zero, one = round(config.at_zero * MICRO), round(config.at_one * MICRO)
    low, span = round(config.low * MICRO), round((config.high - config.low) * MICRO)
    ends_of_score = F.least(F.greatest(micro, F.lit(low)), F.lit(low + span))
    # Of whole numbers below 2**53, so every machine rounds the quotient alike.
    bounded = F.floor((ends_of_score - F.lit(low)) * F.lit(MICRO) / F.lit(span)).cast("bigint")
    ends = (F.lit(MICRO) - bounded) * F.lit(zero) + bounded * F.lit(one)
    scaled = F.floor(ends / F.lit(MICRO)).cast("bigint")
    # `least` and `greatest` skip nulls, so a missing score has to be asked for apart.
    factor = F.when(micro.isNotNull(), scaled)
    factors = scores.select("doc_id", factor.alias("factor"))
    joined = training.join(factors, ["doc_id"], how="left")
    return joined.withColumn("factor", F.coalesce("factor", F.lit(MICRO).cast("bigint")))


def rehydrated(training: DataFrame, duplicates: DataFrame, config: Rehydration | None) -> DataFrame:
    """Multiply `factor` by the recipe's factor for the number of duplicates that a document stands for.

    Args:
        training: Rows with doc_id and factor.
        duplicates: One row per removed document, with kept_id.
        config: Factors by size of the group; None leaves `factor` as it is.
    """
    if config is None:
        return training
    sizes = duplicates.groupBy(F.col("kept_id").alias("doc_id")).agg(
        (F.count("*") + 1).alias("group_size")
    )
    joined = training.join(sizes, ["doc_id"], how="left")
    size, chosen = F.coalesce("group_size", F.lit(1)), F.lit(0)
    for start, factor in sorted(config.factors.items()):
        chosen = F.when(size >= start, F.lit(round(factor * MICRO))).otherwise(chosen)
    # Integer division: a product beyond 2**53 would be rounded by a quotient in floating point.
    joined = joined.withColumn("chosen", chosen.cast("bigint"))
    product = F.expr(f"factor * chosen div {MICRO}")
    return joined.withColumn("factor", product).drop("group_size", "chosen")


def count_copies(training: DataFrame, epochs: Mapping[str, float], seed: int) -> DataFrame:
    """Add `copies`: how often a document is packed. More epochs never take a copy away.

    Args:
        training: Rows with doc_id, source and factor.
        epochs: Copies by source that a document of factor 1 gets.
        seed: Seed of the hash that chooses the documents of a last, partial epoch.
    """
    by_source = F.create_map(*(F.lit(x) for item in epochs.items() for x in item))
    wanted: Column = by_source[F.col("source")] * F.col("factor") / F.lit(float(MICRO))
    whole = F.floor(wanted)
    # The threshold is an integer, so the choice never depends on how a float is compared.
    border = F.floor((wanted - whole) * F.lit(float(2**HASH_BITS))).cast("bigint")
    extra = (hash_share(seed + 2, "doc_id") < border).cast("int")
    return training.withColumn("copies", (whole + extra).cast("int"))
