"""The index: the `signatures` table in folders by id, and a reader of few documents' sets.

Rows of a folder are sorted by id and lie in small row groups, whose footers tell the ids they span;
so the sets of some candidates are read without those around them.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from refinery.dedup.dumps import KEPT
from refinery.publish import storage
from schemas.tables import TABLES

SETS_DDL = "doc_id string, shingles array<int>"
ROW_GROUP_BYTES = 1 << 20
# Version 2 of Parquet stores the differences of sorted numbers; a dictionary would save copies only.
SORTED_NUMBERS = {"parquet.writer.version": "PARQUET_2_0", "parquet.enable.dictionary": "false"}
# The name in the published table: indexes of earlier runs are read too, so it stays.
SOURCE_RANK_COLUMN = "place"
Files = Mapping[int, Sequence[str]]


def _bucket_of(doc_id: str, num_buckets: int) -> Column:
    """The folder of an id. Ids are hashes: equal ranges of their first 16 bits hold equally many."""
    first = F.conv(F.substring(doc_id, 1, 4), 16, 10).cast("int")
    return F.floor(first * num_buckets / F.lit(1 << 16)).cast("int")


def index_rows(
    documents: DataFrame, sets: DataFrame | None, scheme: str, num_buckets: int
) -> DataFrame:
    """The `signatures` table.

    Args:
        documents: Narrow rows with `fate`.
        sets: (doc_id, shingles) of all of them; None publishes no index.
        scheme: What signatures must share to be compared.
        num_buckets: Folders of the index.
    """
    if sets is None:
        rows = documents.withColumn("shingles", F.lit(None).cast("array<int>"))
    else:
        kept = documents.where(F.col("fate") == KEPT).select("doc_id")
        own = sets.join(kept, ["doc_id"], how="left_semi")
        rows = documents.join(own, ["doc_id"], how="left")
    named = rows.withColumn("scheme", F.lit(scheme)).withColumn(
        "bucket", _bucket_of("doc_id", num_buckets)
    )
    published = named.withColumnRenamed("source_rank", SOURCE_RANK_COLUMN)
    return published.select(*TABLES["signatures"].column_names)


def known_documents(signatures: DataFrame) -> DataFrame:
    """Narrow rows with `fate`, from the `signatures` tables of earlier runs."""
    narrow = signatures.drop("scheme", "shingles", "bucket")
    return narrow.withColumnRenamed(SOURCE_RANK_COLUMN, "source_rank")


def write_index(rows: DataFrame, uri: str) -> None:
    """Write `index_rows` in folders by bucket, sorted by id."""
    by_bucket = rows.repartition("bucket").sortWithinPartitions("bucket", "doc_id")
    by_bucket.write.mode("error").partitionBy("bucket").option(
        "parquet.block.size", ROW_GROUP_BYTES
    ).options(**SORTED_NUMBERS).parquet(uri)


def index_files(table_uris: Sequence[str]) -> dict[int, list[str]]:
    """The files of each bucket, over indexes with the same number of buckets."""
    files: dict[int, list[str]] = {}
    for uri in table_uris:
        system, path = storage.file_system(uri)
        for file in sorted(system.glob(f"{path}/bucket=*/*.parquet")):
            bucket = int(file.rsplit("bucket=", 1)[1].split("/", 1)[0])
            files.setdefault(bucket, []).append(storage.join_uri(uri, *file.rsplit("/", 2)[1:]))
    return files


def read_sets(ids: DataFrame, files: Files, num_buckets: int) -> DataFrame:
    """(doc_id, shingles) of the ids that the index holds as kept; each task reads its buckets."""
    rows = ids.select(_bucket_of("doc_id", num_buckets).alias("bucket"), "doc_id")
    by_bucket = rows.repartition("bucket").sortWithinPartitions("bucket", "doc_id")
    return by_bucket.mapInArrow(functools.partial(_read_batches, files=files), SETS_DDL)


def _read_batches(batches: Iterator[pa.RecordBatch], *, files: Files) -> Iterator[pa.RecordBatch]:
    bucket: int | None = None
    waiting: list[pa.Array] = []
    for batch in batches:
        buckets = batch.column("bucket").to_numpy()
        cuts = [0, *(np.flatnonzero(np.diff(buckets)) + 1).tolist(), len(buckets)]
        for start, end in itertools.pairwise(cuts):
            if start == end:
                continue
            if bucket is not None and buckets[start] != bucket:
                yield from _read_bucket(files.get(bucket, ()), pa.concat_arrays(waiting))
                waiting = []
            bucket = int(buckets[start])
            waiting.append(batch.column("doc_id").slice(start, end - start))
    if bucket is not None:
        yield from _read_bucket(files.get(bucket, ()), pa.concat_arrays(waiting))


def _read_bucket(uris: Sequence[str], ids: pa.Array) -> Iterator[pa.RecordBatch]:
    wanted = np.array(ids.to_pylist())
    for uri in uris:
        system, path = storage.file_system(uri)
        with system.open(path, "rb") as stream:
            file = pq.ParquetFile(stream)
            for group in groups_with(file.metadata, wanted):
                rows = file.read_row_group(group, columns=["doc_id", "shingles"])
                is_wanted = pc.and_(
                    pc.is_in(rows.column("doc_id"), value_set=ids),
                    pc.is_valid(rows.column("shingles")),
                )
                yield from rows.filter(is_wanted).to_batches()


def groups_with(metadata: Any, wanted: Any) -> list[int]:
    """Row groups whose span of ids holds one of the sorted ids `wanted`."""
    groups = []
    for group in range(metadata.num_row_groups):
        columns = (metadata.row_group(group).column(i) for i in range(metadata.num_columns))
        column = next(c for c in columns if c.path_in_schema == "doc_id")
        low, high = column.statistics.min, column.statistics.max
        if np.searchsorted(wanted, low) < np.searchsorted(wanted, high, side="right"):
            groups.append(group)
    return groups
