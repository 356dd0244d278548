"""Shards written by executors: documents of one hash range in, one Parquet file out."""

from __future__ import annotations

import functools
import json
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from refinery.packing.config import PackingConfig
from refinery.packing.rows import DocumentTokens, Packed, pack
from refinery.publish import storage
from refinery.sources.selection import HASH_BITS, hash_share
from schemas.fingerprints import sha256_file
from schemas.manifest import Shard, SpecialIds
from schemas.rows import ROW_SCHEMA, content_sha256

SUMMARY_DDL = "shard int, summary string, tokens_in bigint, dropped bigint"


@dataclass(frozen=True, kw_only=True)
class ShardJob:
    """What a task needs to write shards."""

    folder: str
    prefix: str
    config: PackingConfig
    special_ids: SpecialIds
    pad_last: bool
    seed: int


def number_of_shards(tokens: int, config: PackingConfig) -> int:
    """Shards of about equal size; at least one."""
    return max(1, -(-tokens // config.shard_tokens))


def write_shards(copies: DataFrame, job: ShardJob, num_shards: int, num_tasks: int) -> DataFrame:
    """One summary row per shard; `copies` carries doc_id, source, copy, input_ids.

    A copy's shard is a fixed range of hash(seed, doc_id, copy), its place the hash: neither depends
    on partitions.
    """
    width = 2**HASH_BITS // num_shards + 1
    placed = copies.withColumn("place", hash_share(job.seed + 3, "doc_id", "copy"))
    # Integer division: a quotient in floating point could land on the wrong side of a border.
    placed = placed.withColumn("shard", F.expr(f"cast(place div {width} as int)"))
    ordered = placed.repartition(num_tasks, "shard").sortWithinPartitions(
        "shard", "place", "doc_id", "copy"
    )
    run = functools.partial(_write_batches, job=job)
    columns = ("shard", "doc_id", "source", "copy", "input_ids")
    return ordered.select(*columns).mapInArrow(run, SUMMARY_DDL)


def _write_batches(batches: Iterator[pa.RecordBatch], *, job: ShardJob) -> Iterator[pa.RecordBatch]:
    current: int | None = None
    documents: list[DocumentTokens] = []
    for batch in batches:
        for shard, document in _documents(batch):
            if current is not None and shard != current:
                yield _write(current, documents, job)
                documents = []
            current = shard
            documents.append(document)
    if current is not None:
        yield _write(current, documents, job)


def _documents(batch: pa.RecordBatch) -> Iterator[tuple[int, DocumentTokens]]:
    shards, copies = batch.column("shard").to_pylist(), batch.column("copy").to_pylist()
    names, sources = batch.column("doc_id").to_pylist(), batch.column("source").to_pylist()
    lists = batch.column("input_ids")
    flat = lists.flatten().to_numpy()
    ends = np.cumsum(lists.value_lengths().to_numpy())
    for row, shard in enumerate(shards):
        start = int(ends[row - 1]) if row else 0
        # A copy, since the batch's memory goes with the batch.
        ids = flat[start : ends[row]].astype(np.int32, copy=True)
        yield shard, DocumentTokens(names[row], sources[row], copies[row], ids)


def _write(number: int, documents: list[DocumentTokens], job: ShardJob) -> pa.RecordBatch:
    """Pack and write one shard under its final name: aside, then renamed or uploaded."""
    packed = pack(
        documents,
        seq_len=job.config.seq_len,
        layout=job.config.layout,
        eos=job.special_ids.eos,
        pad=job.special_ids.pad,
        pad_last=job.pad_last,
        seed=job.seed + number,
    )
    name = f"{job.prefix}-{number:05d}.parquet"
    uri = storage.join_uri(job.folder, name)
    if storage.is_local(job.folder):
        target = storage.local_path(uri)
        aside = target.with_name(f".{name}.{uuid.uuid4().hex}")
        with storage.disk_full_as_error(uri):
            try:
                shard = _write_file(aside, name, packed, job)
                aside.replace(target)
            finally:
                aside.unlink(missing_ok=True)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            aside = Path(scratch) / name
            shard = _write_file(aside, name, packed, job)
            storage.upload(aside, uri)
    row: dict[str, list[Any]] = {
        "shard": [number],
        "summary": [shard.model_dump_json()],
        "tokens_in": [packed.tokens_in],
        "dropped": [packed.dropped],
    }
    types = [pa.int32(), pa.string(), pa.int64(), pa.int64()]
    return pa.RecordBatch.from_arrays(
        [pa.array(v, t) for v, t in zip(row.values(), types, strict=True)], list(row)
    )


def _write_file(path: Path, name: str, packed: Packed, job: ShardJob) -> Shard:
    table = pa.Table.from_batches([packed.rows])
    with pq.ParquetWriter(
        path, ROW_SCHEMA, compression="zstd", use_dictionary=True, write_statistics=False
    ) as writer:
        step = job.config.row_group_rows
        for start in range(0, max(1, table.num_rows), step):
            writer.write_table(table.slice(start, step), row_group_size=step)
    return Shard(
        path=name,
        rows=table.num_rows,
        tokens=packed.packed,
        padding=packed.padding,
        bytes=path.stat().st_size,
        sha256=sha256_file(path),
        content_sha256=content_sha256([packed.rows]),
        tokens_by_source=packed.tokens_by_source,
    )


def collect_shards(summaries: DataFrame) -> tuple[list[Shard], int, int]:
    """Shards in their order, tokens in, tokens dropped; one row per shard comes to the driver."""
    rows = sorted(summaries.collect(), key=lambda row: row["shard"])
    shards = [Shard.model_validate(json.loads(row["summary"])) for row in rows]
    return shards, sum(r["tokens_in"] for r in rows), sum(r["dropped"] for r in rows)
