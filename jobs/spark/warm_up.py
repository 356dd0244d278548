"""A little of everything that the stages ask of Spark, so that its classes get loaded once.

`jobs.spark.class_archive` runs this in a process of its own; what it computes is thrown away.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from jobs.spark.session import build_session, end_session
from refinery.recipe import Runtime
from schemas.errors import run_main


def _same(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from batches


def use(session: SparkSession, folder: str) -> None:
    """Write, read, map, join, group, rank and order a small table."""
    rows = session.range(1000).select(
        F.sha2(F.col("id").cast("string"), 256).alias("doc_id"),
        (F.col("id") % 7).cast("string").alias("table"),
        F.array(F.col("id"), F.col("id") + 1).alias("ids"),
        (F.col("id") / 3).alias("score"),
    )
    rows.mapInArrow(_same, rows.schema).write.partitionBy("table").parquet(f"{folder}/rows")
    back = session.read.schema(rows.schema).parquet(f"{folder}/rows").where("score > 1")
    ranked = back.withColumn(
        "rank", F.row_number().over(Window.partitionBy("table").orderBy("doc_id"))
    )
    few = session.createDataFrame([("1", 1.0)], "table string, weight double")
    joined = ranked.join(few, "table", "left").join(back.select("doc_id").distinct(), "doc_id")
    _grouped(joined).write.parquet(f"{folder}/grouped")
    joined.repartition(3, "doc_id").sortWithinPartitions("doc_id").write.parquet(
        f"{folder}/ordered"
    )
    joined.unionByName(joined).distinct().limit(5).collect()
    few.rdd.map(tuple).collect()


def _grouped(rows: DataFrame) -> DataFrame:
    exploded = rows.select("table", "doc_id", F.explode("ids").alias("id"))
    sums = exploded.groupBy("table").agg(
        F.count("*").alias("count"), F.min("doc_id"), F.collect_list("id"), F.struct(F.max("id"))
    )
    return sums.toDF("table", "count", "first", "ids", "most").orderBy(F.desc("count"), "table")


def main(argv: list[str]) -> None:
    """Run, and wait until the JVM has ended: it writes the archive last."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        session = build_session("classes", Runtime(output=str(Path(folder)), partitions=2))
        use(session, folder)
        end_session(session)


if __name__ == "__main__":
    run_main(main)
