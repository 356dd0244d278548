"""Count what ingest read of each source, and find the first reject of each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from jobs.pipeline.stage import StageContext
from refinery.sources.facts import SourceFacts
from refinery.sources.gate import RejectExample


def source_facts(
    context: StageContext, files: Sequence[Row], passed_over: dict[str, int]
) -> dict[str, SourceFacts]:
    """What each source of the recipe held, by name; `files` are the rows of this attempt's table."""
    read: dict[str, Counter[str]] = defaultdict(Counter)
    for row in files:
        read[row["source"]].update(files=1, bytes=row["bytes"], fetches=row["fetched"])
    counts = _counts(context)
    return {
        source.name: SourceFacts(
            files=read[source.name]["files"],
            bytes=read[source.name]["bytes"],
            fetches=read[source.name]["fetches"],
            passed_over=passed_over[source.name],
            rejects=counts["rejects"].get(source.name, {}),
            records=counts["records"].get(source.name, {}),
        )
        for source in context.recipe.sources
    }


def _counts(context: StageContext) -> dict[str, dict[str, dict[str, int]]]:
    """Rejects by reason and records by type, of each source, the largest first."""
    counts: dict[str, dict[str, dict[str, int]]] = {"rejects": {}, "records": {}}
    rejects = context.read_back("rejects").select("source", F.col("reason").alias("key"), F.lit(1))
    records = context.read_back("records").select("source", F.col("type").alias("key"), "count")
    tables = {"rejects": rejects.toDF("source", "key", "count"), "records": records}
    found = [
        rows.withColumn("table", F.lit(table))
        for table, rows in tables.items()
        if context.count_back(table)
    ]
    if not found:
        return counts
    sums = reduce(DataFrame.union, found).groupBy("table", "source", "key").agg(F.sum("count"))
    for table, source, key, count in sorted(sums.collect(), key=lambda row: (-row[3], row[2])):
        counts[table].setdefault(source, {})[key] = count
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
