"""Verdicts that one pass over the pages cannot give: ranks among all documents, scores of a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pyspark.sql import DataFrame

from jobs.pipeline.stage import StageContext
from refinery.clean.rejudging import rejudged
from refinery.clean.rows import TABLES_WRITTEN
from refinery.publish import storage
from refinery.quality.table_scores import with_table_scores
from refinery.quality.top_fraction import mark_beyond


@contextmanager
def _aside(context: StageContext, name: str) -> Iterator[StageContext]:
    """A context that writes to a folder inside this attempt; the folder is removed at the end."""
    uri = storage.join_uri(context.attempt_uri, f"_{name}")
    yield replace(context, attempt_uri=uri)
    system, path = storage.file_system(uri)
    if system.exists(path):
        system.rm(path, recursive=True)


def write_twice(context: StageContext, cleaned: DataFrame) -> None:
    """Write aside, then join and rank: who is among the best is known only when all have a score."""
    recipe = context.recipe
    tables = {
        head: context.spark.read.parquet(one.table) for head, one in recipe.table_heads.items()
    }
    with _aside(context, "unranked") as unranked:
        unranked.write_many(cleaned)

        def judged(table: str) -> DataFrame:
            rows = unranked.read_back(table)
            if not tables:
                return rows
            return rejudged(with_table_scores(rows, tables, recipe.table_heads), recipe.clean)

        ledger = judged("ledger")
        for table in TABLES_WRITTEN:
            if table in ("cleaned", "ledger"):
                context.write(table, mark_beyond(judged(table), ledger, recipe.clean.top_fractions))
            else:
                context.write(table, unranked.read_back(table))
