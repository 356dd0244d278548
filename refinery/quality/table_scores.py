"""Scores that a table has by document join those of cleaning: losses of a trained model, marks by people."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from refinery.quality.config import TableScoresConfig
from refinery.quality.table_file import ID

DIGITS = 6  # as all scores have


def with_table_scores(
    rows: DataFrame, tables: Mapping[str, DataFrame], configs: Mapping[str, TableScoresConfig]
) -> DataFrame:
    """Add to `scores` what the tables have; a document without a row keeps the scores that it has.

    Args:
        rows: With doc_id and scores; no other column changes, and no row is added or lost.
        tables: By head; of several rows of one document the smallest score counts.
        configs: By head, which column of its table is the score.
    """
    columns = rows.columns
    for number, (head, config) in enumerate(configs.items()):
        score, name = F.col(config.column).cast("double"), f"_score{number}"
        found = (
            tables[head]
            .where(score.isNotNull() & ~F.isnan(score))
            .groupBy(ID)
            .agg(F.round(F.min(score), DIGITS).alias(name))
        )
        own = F.map_from_arrays(F.array(F.lit(head)), F.array(name))
        rows = rows.join(found, [ID], how="left").withColumn(
            "scores", F.when(F.col(name).isNull(), F.col("scores")).otherwise(F.map_concat("scores", own))
        )  # fmt: skip
    return rows.select(columns)
