"""Shards written by executors: documents of one hash range in, one Parquet file out."""

from __future__ import annotations

import functools
import json
import os
import tempfile
import uuid
from collections import Counter
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
from refinery.packing.shard_builder import ShardBuilder
from refinery.packing.shard_rows import PackedShard, ShardForm
from refinery.publish import storage
from refinery.sources.selection import HASH_BITS, hash_share
from refinery.text.list_columns import split_lists
from schemas.errors import SettingsError
from schemas.fingerprints import sha256_file
from schemas.manifest import Shard, SpecialIds
from schemas.rows import ContentHasher

PACKING_VERSION = 4
# Ids go in plain: on GPT-2 ids of English and Chinese text zstd finds more in them (0.99 bytes per
# token) than in the bit-packed indices of a dictionary (1.25): benchmarks/results/encodings.json. Byte
# stream split decodes faster (192 against 170 M tokens per core-second), but fewer readers know it.
WRITER_OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": ["segments.list.element.doc_id", "segments.list.element.source"],
    "write_statistics": False,
}
SUMMARY_DDL = "shard int, summary string, tokens_in string, drawn string, dropped string"


@dataclass(frozen=True, kw_only=True)
class ShardJob:
    """What an executor needs to know to write shards."""

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

    A copy's shard is a fixed range of hash(seed, doc_id, copy), and the shard is sorted by that hash:
    neither depends on partitions.
    """
    width = 2**HASH_BITS // num_shards + 1
    keyed = copies.withColumn("sort_key", hash_share(job.seed + 3, "doc_id", "copy"))
    # Integer division: a quotient in floating point could land on the wrong side of a border.
    keyed = keyed.withColumn("shard", F.expr(f"cast(sort_key div {width} as int)"))
    # Tasks are chosen by the shard's number, not by a hash of it: hashed, two shards often share a task.
    ordered = keyed.repartitionById(num_tasks, F.expr(f"shard % {num_tasks}"))
    ordered = ordered.sortWithinPartitions("shard", "sort_key", "doc_id", "copy")
    run = functools.partial(_write_batches, job=job)
    columns = ("shard", "doc_id", "source", "copy", "input_ids", *job.config.marks)
    return ordered.select(*columns).mapInArrow(run, SUMMARY_DDL)


def _write_batches(batches: Iterator[pa.RecordBatch], *, job: ShardJob) -> Iterator[pa.RecordBatch]:
    special = job.special_ids
    form = ShardForm(
        config=job.config,
        eos=special.eos if has_end_marks(job.config, special) else None,
        pad=special.pad,
        keep_tail=job.pad_last,
        cls=special.cls,
        sep=special.sep,
        seed=job.seed,
    )
    current: int | None = None
    builder = ShardBuilder(form)
    for batch in batches:
        for number, document in _documents(batch, job.config.marks):
            if current is not None and number != current:
                yield _publish(current, builder.finish(), job)
                builder = ShardBuilder(form)
            current = number
            builder.add(**document)
    if current is not None:
        yield _publish(current, builder.finish(), job)


def check_special_tokens(config: PackingConfig, special: SpecialIds) -> None:
    """Refuse pairs without [CLS] and [SEP].

    Raises:
        SettingsError: Naming what the tokenizer lacks.
    """
    if config.layout == "pairs":
        raise SettingsError(
            "packing.layout: pairs come from supervised tables; pack them with "
            "`python -m jobs.pack_pairs RECIPE` (docs/training.md)"
        )
    missing = [name for name in ("cls", "sep") if getattr(special, name) is None]
    if config.layout == "next_sentence" and missing:
        raise SettingsError(
            f"packing.layout: next_sentence needs [CLS] and [SEP], the tokenizer has no "
            f"{missing[0]}_token; `refinery vocabulary train FILES --out DIR` makes one that has "
            "(recipe.vocabulary.tokenizer)"
        )


def has_end_marks(config: PackingConfig, special: SpecialIds) -> bool:
    """Whether documents end in `eos`; not where a pair's [SEP] ends them, or BERT's [SEP] is the eos."""
    if config.layout == "next_sentence":
        return False
    return config.layout != "sentences" or special.eos != special.sep


def _documents(
    batch: pa.RecordBatch, marks: tuple[str, ...]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(shard number, the arguments of `ShardBuilder.add`) of each row."""
    shards, copies = batch.column("shard").to_pylist(), batch.column("copy").to_pylist()
    names, sources = batch.column("doc_id").to_pylist(), batch.column("source").to_pylist()
    lists = batch.column("input_ids")
    flat = lists.flatten().to_numpy()
    ends = np.concatenate(([0], np.cumsum(lists.value_lengths().to_numpy())))
    starts = {name: split_lists(batch.column(name)) for name in marks}
    for row, shard in enumerate(shards):
        yield (
            shard,
            {
                "doc_id": names[row],
                "source": sources[row],
                "copy": copies[row],
                "input_ids": flat[ends[row] : ends[row + 1]],
                "starts": {name: arrays[row] for name, arrays in starts.items()},
            },
        )


def _publish(number: int, packed: PackedShard, job: ShardJob) -> pa.RecordBatch:
    """Write one shard beside its final name, then rename or upload it."""
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
    counts = (
        packed.tokens_in_by_source(),
        packed.drawn_by_source(),
        packed.dropped_by_source(),
    )
    return pa.RecordBatch.from_arrays(
        [
            pa.array([number], pa.int32()),
            pa.array([shard.model_dump_json()]),
            *(pa.array([json.dumps(count)]) for count in counts),
        ],
        ["shard", "summary", "tokens_in", "drawn", "dropped"],
    )


def write_shard(path: Path, name: str, packed: PackedShard) -> Shard:
    """Write the rows of a shard, one row group at a time; whole row groups give stable bytes."""
    hasher = ContentHasher()
    with pq.ParquetWriter(path, packed.schema, **WRITER_OPTIONS) as writer:
        for rows in packed.row_groups():
            writer.write_table(pa.Table.from_batches([rows]), row_group_size=rows.num_rows)
            hasher.update(rows)
    by_source = packed.tokens_by_source()
    tokens = sum(by_source.values())
    control = packed.num_rows * packed.special_tokens_of_a_row
    return Shard(
        path=name,
        rows=packed.num_rows,
        tokens=tokens,
        padding=packed.num_rows * packed.form.config.seq_len - tokens - control,
        control=control,
        bytes=path.stat().st_size,
        sha256=sha256_file(path),
        content_sha256=hasher.hexdigest(),
        tokens_by_source={name: count for name, count in by_source.items() if count},
    )


@dataclass(frozen=True)
class WrittenShards:
    """Shards in their order; tokens by source that came in, were drawn once more, or left out."""

    shards: list[Shard]
    tokens_in: Counter[str]
    drawn: Counter[str]
    dropped: Counter[str]


def collect_shards(summaries: DataFrame) -> WrittenShards:
    """Fetch what the executors wrote: one row per shard, in the order of the shards."""
    rows = sorted(summaries.collect(), key=lambda row: row["shard"])
    written = WrittenShards([], Counter(), Counter(), Counter())
    for row in rows:
        written.shards.append(Shard.model_validate(json.loads(row["summary"])))
        written.tokens_in.update(json.loads(row["tokens_in"]))
        written.drawn.update(json.loads(row["drawn"]))
        written.dropped.update(json.loads(row["dropped"]))
    return written
