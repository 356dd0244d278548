"""Scores that a table has by document join those of cleaning: losses of a trained model, marks by people."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from refinery.publish import storage
from refinery.quality.config import TableScoresConfig
from schemas.errors import SettingsError
from schemas.settings import nearest

ID = "doc_id"
DIGITS = 6  # as all scores have


def check_table(head: str, config: TableScoresConfig) -> None:
    """Refuse a table that has no such scores; its rows are not read.

    Raises:
        SettingsError: It is not there, is no Parquet file, or lacks the column.
    """
    where = f"recipe.heads.{head}"
    if not storage.exists(config.table):
        raise SettingsError(f"{where}.table: nothing at {config.table}")
    try:
        schema = pq.read_schema(storage.local_copy(config.table))
    except (OSError, pa.ArrowInvalid) as error:
        raise SettingsError(
            f"{where}.table: {config.table} is no Parquet file ({error})"
        ) from error
    if ID not in schema.names or not pa.types.is_string(schema.field(ID).type):
        raise SettingsError(
            f"{where}.table: {config.table} has no column {ID} of texts, only {', '.join(schema.names)}"
        )
    numbers = {
        field.name
        for field in schema
        if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
    }
    if config.column not in numbers:
        raise SettingsError(
            f"{where}.column: {config.table} has no numbers '{config.column}'{nearest(config.column, numbers)}"
        )


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
