"""Mark documents that are not among the best of their group by a head's score, in Spark.

The border of a group is found on counts by distinct score (six decimals: at most a million rows a
group) and then among the ids of the one score that it cuts, so no task sorts a whole group. The
borders, one row a group, are all that is joined to the documents.
"""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from refinery.quality.config import TopFractionConfig
from refinery.quality.reasons import head_not_best

TOP_FRACTION_VERSION = 1
_GROUP = "_group"


def borders(ledger: DataFrame, head: str, config: TopFractionConfig) -> DataFrame:
    """(_group, last_score, last_id) of each group: its last document that stays.

    Only documents without a reason count. `ledger` needs doc_id, scores, reasons and what
    `config.by` names.
    """
    scored = ledger.where(_counts(head)).select(
        _group(config).alias(_GROUP), "doc_id", F.col("scores")[head].alias("score")
    )
    counts = scored.groupBy(_GROUP, "score").agg(F.count("*").alias("count"))
    group = Window.partitionBy(_GROUP)
    running = group.orderBy(F.desc("score")).rowsBetween(Window.unboundedPreceding, 0)
    # Rounded as `num_best` does, so that decimal fractions count as written.
    stay = F.ceil(F.round(F.lit(config.fraction) * F.sum("count").over(group), 6))
    cut = (
        counts.withColumn("stay", stay)
        .withColumn("before", F.sum("count").over(running) - F.col("count"))
        .where("before < stay and stay <= before + count")
        .select(
            _GROUP, F.col("score").alias("last_score"), (F.col("stay") - F.col("before")).alias("n")
        )
    )
    equal = scored.join(F.broadcast(cut), [_GROUP], how="inner").where("score = last_score")
    rank = F.row_number().over(Window.partitionBy(_GROUP).orderBy("doc_id"))
    return (
        equal.withColumn("rank", rank)
        .where("rank = n")
        .select(_GROUP, "last_score", F.col("doc_id").alias("last_id"))
    )


def mark_beyond(
    rows: DataFrame, ledger: DataFrame, configs: Mapping[str, TopFractionConfig]
) -> DataFrame:
    """Add a reason to the documents beyond the border of their group.

    `rows` are those of `cleaned` or of `ledger` before any such mark. All heads judge the same
    documents, those without a reason in `ledger`, so their order does not matter.
    """
    columns, beyond = rows.columns, F.array().cast("array<string>")
    for number, (head, config) in enumerate(configs.items()):
        name = f"_border{number}"
        last_kept = borders(ledger, head, config).select(
            F.col(_GROUP).alias(f"_group{number}"), F.struct("last_score", "last_id").alias(name)
        )
        rows = rows.join(
            F.broadcast(last_kept), _group(config) == F.col(f"_group{number}"), how="left"
        )
        score, border = F.col("scores")[head], F.col(name)
        after = (score < border["last_score"]) | (
            (score == border["last_score"]) & (F.col("doc_id") > border["last_id"])
        )
        is_out = _counts(head) & F.coalesce(after, F.lit(False))
        reason = F.when(is_out, F.array(F.lit(head_not_best(head)))).otherwise(F.array())
        beyond = F.concat(beyond, reason)
    reasons = F.concat("reasons", beyond)
    return (
        rows.withColumn("reasons", reasons)
        .withColumn("drop_reason", F.get("reasons", F.lit(0)))
        .select(columns)
    )


def _counts(head: str) -> Column:
    return (F.size("reasons") == 0) & F.col("scores")[head].isNotNull()


def _group(config: TopFractionConfig) -> Column:
    return F.to_json(F.struct(F.lit("").alias("all"), *config.by))
