"""Read what Spark reads: any DataSource (ORC, JDBC, Iceberg, Delta ...) or table, a document for each row.

Such a table has no files that we see and no order. Its one "file" is its URI; the number of a row is made
from the hash of its values, with equal rows counted, so that it does not depend on partitions. What tells
one state of the table from another is the sum of those hashes, for which it is read once more, or by
`identity: version` the URI and the options (a snapshot's id among them).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator

import pyarrow as pa
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from refinery.sources.config import ReadLimits, SourceConfig, SparkReaderConfig
from refinery.sources.listing import InputFile
from refinery.sources.record import Broken, Fetch, fetch_row, reject_row
from refinery.sources.rows import row_outcome
from refinery.tables import UnionRows, union_ddl
from schemas.errors import SettingsError
from schemas.fingerprints import sha256_hex

# Low bits of a row's number count the rows of equal hash.
EQUAL_ROWS_BITS = 16
TABLES_WRITTEN = ("fetches", "records", "rejects", "files")


def open_table(spark: SparkSession, source: SourceConfig) -> DataFrame:
    """The rows of a source, lazy.

    Raises:
        SettingsError: Spark finds no such table, path or DataSource; its own words say which.
    """
    reader = source.spark or SparkReaderConfig()
    try:
        if reader.format is None:
            return spark.read.options(**reader.options).table(source.uri)
        opened = spark.read.format(reader.format).options(**reader.options)
        if reader.format == "jdbc":
            return opened.options(dbtable=reader.options.get("dbtable", source.uri)).load()
        return opened.load(source.uri)
    except PySparkException as error:
        raise _unreadable(source, str(error)) from error
    except (
        Py4JJavaError
    ) as error:  # what Spark does not translate: a driver or a database's refusal
        raise _unreadable(source, str(error.java_exception)) from error


def _unreadable(source: SourceConfig, said: str) -> SettingsError:
    first = said.split("\n", 1)[0]
    return SettingsError(f"source '{source.name}': Spark cannot read {source.uri}: {first}")


def list_table(spark: SparkSession, source: SourceConfig) -> list[InputFile]:
    """The table as one input, with what identifies its content."""
    table = _numbered(open_table(spark, source))
    if source.identity == "version":
        reader = source.spark or SparkReaderConfig()
        changed = sha256_hex(f"{source.uri} {json.dumps(reader.options, sort_keys=True)}".encode())
        return [InputFile(source.name, source.uri, source.uri, 0, changed)]
    row = table.agg(
        F.count("*").alias("rows"),
        F.sum(F.col("_hash").cast("decimal(38,0)")).alias("total"),
        F.bit_xor("_hash").alias("mixed"),
    ).first()
    assert row is not None
    digest = sha256_hex(f"rows {row['rows']} {row['total']} {row['mixed']}".encode())
    file = InputFile(source.name, source.uri, source.uri, 0, digest)
    return [InputFile(file.source, file.name, file.uri, file.size, file.changed, digest)]


def read_rows(
    table: DataFrame, source: SourceConfig, file: InputFile, priority: int, limits: ReadLimits
) -> DataFrame:
    """Every row of a source's table as a row of `fetches` or `rejects`."""
    # Bytes do not go through JSON.
    text = F.col(source.fields.text) if source.fields.text in table.columns else F.lit(None)
    numbered = _numbered(table.withColumn("_text", text))
    order = Window.partitionBy("_key").orderBy("_json")
    rows = numbered.select(
        (F.col("_key") + F.row_number().over(order) - 1).alias("offset"), "_json", "_text"
    )
    run = functools.partial(_read, source=source, file=file, priority=priority, limits=limits)
    return rows.mapInArrow(run, union_ddl(TABLES_WRITTEN))


def _numbered(table: DataFrame) -> DataFrame:
    """The rows with their values as JSON, its hash, and the hash without sign and low bits."""
    values = [F.col(f"`{name}`") for name in table.columns if name != "_text"]
    hashed = table.withColumn("_json", F.to_json(F.struct(*values))).withColumn(
        "_hash", F.xxhash64("_json")
    )
    high = F.shiftrightunsigned("_hash", EQUAL_ROWS_BITS + 1)
    return hashed.withColumn("_key", F.shiftleft(high, EQUAL_ROWS_BITS))


def _read(
    batches: Iterator[pa.RecordBatch],
    *,
    source: SourceConfig,
    file: InputFile,
    priority: int,
    limits: ReadLimits,
) -> Iterator[pa.RecordBatch]:
    rows = UnionRows(TABLES_WRITTEN)
    origin = {"source": source.name, "file": file.name}
    fetched = rejected = num_bytes = 0
    for batch in batches:
        for row in batch.to_pylist():
            values = json.loads(row["_json"])
            if isinstance(row["_text"], bytes | bytearray):
                values[source.fields.text] = bytes(row["_text"])
            most = limits.max_document_bytes
            outcome = row_outcome(values, row["offset"], source.fields, most)
            if isinstance(outcome, Fetch):
                fetched, num_bytes = fetched + 1, num_bytes + len(outcome.payload)
                rows.append("fetches", **origin, **fetch_row(outcome, priority))
            elif isinstance(outcome, Broken):
                rejected += 1
                rows.append("rejects", **origin, **reject_row(outcome))
            yield from rows.full_batches()
    if fetched or rejected:
        rows.append(
            "files", **origin, bytes=num_bytes, sha256=file.sha256 or None,
            fetched=fetched, rejected=rejected,
        )  # fmt: skip
    yield from rows.remaining_batches()
