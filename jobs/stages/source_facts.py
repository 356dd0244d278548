"""Count what ingest read of each source, and find the first reject of each."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.pipeline.stage import StageContext
from refinery.sources.facts import SourceFacts
from refinery.sources.gate import RejectExample


def source_facts(context: StageContext, passed_over: dict[str, int]) -> dict[str, SourceFacts]:
    """What each source of the recipe held, by name, from the tables of this attempt."""
    totals = {
        row["source"]: row
        for row in context.read_back("files")
        .groupBy("source")
        .agg(
            F.count("*").alias("files"), F.sum("bytes").alias("bytes"),
            F.sum("fetched").alias("fetches"),
        )
        .collect()
    }  # fmt: skip
    rejects = _counts(context, "rejects", "reason", F.count("*"))
    records = _counts(context, "records", "type", F.sum("count"))
    return {
        source.name: SourceFacts(
            files=totals[source.name]["files"] if source.name in totals else 0,
            bytes=totals[source.name]["bytes"] if source.name in totals else 0,
            fetches=totals[source.name]["fetches"] if source.name in totals else 0,
            passed_over=passed_over[source.name],
            rejects=rejects.get(source.name, {}),
            records=records.get(source.name, {}),
        )
        for source in context.recipe.sources
    }


def _counts(
    context: StageContext, table: str, column: str, count: Column
) -> dict[str, dict[str, int]]:
    """Counts by source and by one column, the largest first."""
    if not context.count_back(table):
        return {}
    rows = context.read_back(table).groupBy("source", column).agg(count.alias("n")).collect()
    counts: dict[str, dict[str, int]] = {}
    for row in sorted(rows, key=lambda row: (-row["n"], row[column])):
        counts.setdefault(row["source"], {})[row[column]] = row["n"]
    return counts


def reject_examples(context: StageContext, names: Sequence[str]) -> dict[str, RejectExample]:
    """The first reject of the commonest reason of each source."""
    if not context.count_back("rejects"):
        return {}
    first = F.min(F.struct("file", "offset", "message")).alias("first")
    rows = (
        context.read_back("rejects")
        .where(F.col("source").isin(list(names)))
        .groupBy("source", "reason")
        .agg(F.count("*").alias("n"), first)
        .collect()
    )
    return {
        row["source"]: RejectExample(row["reason"], *row["first"])
        for row in sorted(rows, key=lambda row: (row["n"], row["reason"]))
    }
