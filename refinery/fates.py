"""Where each document ended: exactly one fate, from the verdict tables of all stages."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from refinery.sources.exclusions import EXCLUDED
from schemas.errors import ContractError

FATE_NAMES = ("kept", "dropped", "duplicate", "contaminated", "excluded", "rejected")


def decide_fates(
    *, ledger: DataFrame, rejects: DataFrame, duplicates: DataFrame, contamination: DataFrame
) -> DataFrame:
    """The `fates` table. Verdicts are looked at in the order of the stages; the first one holds."""
    duplicate = duplicates.select("doc_id", F.col("method"))
    contaminated = (
        contamination.where("action = 'drop'")
        .groupBy("doc_id")
        .agg(F.min("benchmark").alias("benchmark"))
    )
    judged = ledger.join(duplicate, ["doc_id"], how="left").join(
        contaminated, ["doc_id"], how="left"
    )
    fate = (
        F.when(F.col("drop_reason") == EXCLUDED, "excluded")
        .when(F.col("drop_reason").isNotNull(), "dropped")
        .when(F.col("method").isNotNull(), "duplicate")
        .when(F.col("benchmark").isNotNull(), "contaminated")
        .otherwise("kept")
    )
    cleaned = judged.select(
        "doc_id",
        "source",
        fate.alias("fate"),
        F.coalesce("drop_reason", "method", "benchmark").alias("reason"),
    )
    rejected = rejects.where("doc_id is not null").select(
        "doc_id", "source", F.lit("rejected").alias("fate"), "reason"
    )
    return cleaned.unionByName(rejected)


def check_fates(counts: dict[str, int], num_documents: int) -> None:
    """Every document has one fate.

    Raises:
        ContractError: The sum differs, with all terms.
    """
    total = sum(counts.get(name, 0) for name in FATE_NAMES)
    if total != num_documents:
        terms = " + ".join(f"{counts.get(name, 0)} {name}" for name in FATE_NAMES)
        raise ContractError(f"{num_documents} documents != {terms} = {total}")


def kept_texts(cleaned: DataFrame, fates: DataFrame, edits: DataFrame) -> DataFrame:
    """(doc_id, source, text, edits) of kept documents; `edits` in the order of their stages."""
    kept = fates.where("fate = 'kept'").select("doc_id")
    texts = cleaned.select("doc_id", "source", "text").join(kept, ["doc_id"], how="left_semi")
    return texts.join(ordered_edits(edits), ["doc_id"], how="left")


def ordered_edits(edits: DataFrame) -> DataFrame:
    """(doc_id, edits): the edits of each document in the order of the stages that wrote them."""
    stage_rank = (
        F.when(F.col("stage") == "clean", 0).when(F.col("stage") == "dedup", 1).otherwise(2)
    )
    spans = F.array_sort(F.collect_list(F.struct("rank", "start", "end", "replacement")))
    return edits.withColumn("rank", stage_rank).groupBy("doc_id").agg(spans.alias("edits"))
