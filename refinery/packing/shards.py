"""Shards written by executors: documents of one hash range in, one Parquet file out."""

from __future__ import annotations

import functools
import json
import os
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
from pyspark.sql import functions as F

from refinery.packing.config import PackingConfig
from refinery.packing.shard import PackedShard, ShardBuilder, ShardForm
from refinery.publish import storage
from refinery.sources.selection import HASH_BITS, hash_share
from schemas.fingerprints import sha256_file
from schemas.manifest import Shard, SpecialIds
from schemas.rows import ROW_SCHEMA, ContentHasher

PACKING_VERSION = 3
# Ids go in plain: on GPT-2 ids of English and Chinese text zstd finds more in them (0.99 bytes per
# token) than in the bit-packed indices of a dictionary (1.25), see benchmarks/encodings.py. Byte
# stream split decodes faster (192 against 170 M tokens per core-second), but fewer readers know it.
WRITER_OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": ["segments.list.element.doc_id", "segments.list.element.source"],
    "write_statistics": False,
}
SUMMARY_DDL = "shard int, summary string, tokens_in string"


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
    # By id and not by a hash of it: hashed, two shards would often share a task.
    ordered = placed.repartitionById(num_tasks, F.expr(f"shard % {num_tasks}"))
    ordered = ordered.sortWithinPartitions("shard", "place", "doc_id", "copy")
    run = functools.partial(_write_batches, job=job)
    columns = ("shard", "doc_id", "source", "copy", "input_ids")
    return ordered.select(*columns).mapInArrow(run, SUMMARY_DDL)


def _write_batches(batches: Iterator[pa.RecordBatch], *, job: ShardJob) -> Iterator[pa.RecordBatch]:
    form = ShardForm(
        config=job.config, eos=job.special_ids.eos, pad=job.special_ids.pad, keep_tail=job.pad_last
    )
    current: int | None = None
    builder = ShardBuilder(form)
    for batch in batches:
        for number, document in _documents(batch):
            if current is not None and number != current:
                yield _publish(current, builder.finish(), job)
                builder = ShardBuilder(form)
            current = number
            builder.add(**document)
    if current is not None:
        yield _publish(current, builder.finish(), job)


def _documents(batch: pa.RecordBatch) -> Iterator[tuple[int, dict[str, Any]]]:
    """(shard number, the arguments of `ShardBuilder.add`) of each row."""
    shards, copies = batch.column("shard").to_pylist(), batch.column("copy").to_pylist()
    names, sources = batch.column("doc_id").to_pylist(), batch.column("source").to_pylist()
    lists = batch.column("input_ids")
    flat = lists.flatten().to_numpy()
    ends = np.concatenate(([0], np.cumsum(lists.value_lengths().to_numpy())))
    for row, shard in enumerate(shards):
        yield (
            shard,
            {
                "doc_id": names[row],
                "source": sources[row],
                "copy": copies[row],
                "input_ids": flat[ends[row] : ends[row + 1]],
            },
        )


def _publish(number: int, packed: PackedShard, job: ShardJob) -> pa.RecordBatch:
    """Write one shard under its final name: aside, then renamed or uploaded."""
    name = f"{job.prefix}-{number:05d}.parquet"
    uri = storage.join_uri(job.folder, name)
    if storage.is_local(job.folder):
        target = storage.local_path(uri)
        aside = target.with_name(f".{name}.{uuid.uuid4().hex}")
        with storage.disk_full_as_error(uri):
            try:
                shard = write_shard(aside, name, packed)
                os.replace(aside, target)
            finally:
                aside.unlink(missing_ok=True)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            aside = Path(scratch) / name
            shard = write_shard(aside, name, packed)
            storage.upload(aside, uri)
    tokens_in = json.dumps(packed.tokens_in_by_source())
    return pa.RecordBatch.from_arrays(
        [
            pa.array([number], pa.int32()),
            pa.array([shard.model_dump_json()]),
            pa.array([tokens_in]),
        ],
        ["shard", "summary", "tokens_in"],
    )


def write_shard(path: Path, name: str, packed: PackedShard) -> Shard:
    """Write the rows of a shard, one row group at a time; whole row groups give stable bytes."""
    hasher = ContentHasher()
    with pq.ParquetWriter(path, ROW_SCHEMA, **WRITER_OPTIONS) as writer:
        for rows in packed.row_groups():
            writer.write_table(pa.Table.from_batches([rows]), row_group_size=rows.num_rows)
            hasher.update(rows)
    by_source = packed.tokens_by_source()
    tokens = sum(by_source.values())
    return Shard(
        path=name,
        rows=packed.num_rows,
        tokens=tokens,
        padding=packed.num_rows * packed.form.config.seq_len - tokens,
        bytes=path.stat().st_size,
        sha256=sha256_file(path),
        content_sha256=hasher.hexdigest(),
        tokens_by_source={name: count for name, count in by_source.items() if count},
    )


def collect_shards(summaries: DataFrame) -> tuple[list[Shard], dict[str, int]]:
    """Shards in their order and the tokens that came in by source; one row per shard is fetched."""
    rows = sorted(summaries.collect(), key=lambda row: row["shard"])
    tokens_in: dict[str, int] = {}
    for row in rows:
        for source, count in json.loads(row["tokens_in"]).items():
            tokens_in[source] = tokens_in.get(source, 0) + count
    return [Shard.model_validate(json.loads(row["summary"])) for row in rows], tokens_in
