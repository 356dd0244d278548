"""Are all shards of a dataset there? Asked before a run starts, without reading a row."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.manifest import Shard
from train.data.remote import ShardFiles


def absent_shards(files: ShardFiles, shards: Iterable[Shard]) -> list[str]:
    """One sentence for each shard that is missing, unreadable or cut.

    A file of another size may be a rewritten one with the same rows, which is accepted when it is
    read: there the footer says how many rows it has.
    """
    if files.is_remote:
        return _absent_objects(files, shards)
    faults = (_fault(files.local(shard.path), shard) for shard in shards)
    return [fault for fault in faults if fault is not None]


def _fault(path: Path, shard: Shard) -> str | None:
    if not path.is_file():
        return f"{path}: shard is missing"
    if not os.access(path, os.R_OK):
        return f"{path}: shard cannot be read (permission denied)"
    size = path.stat().st_size
    if size == shard.bytes:
        return None
    try:
        rows = pq.read_metadata(path).num_rows
    except (pa.ArrowException, OSError):
        return f"{path}: shard is damaged: has {size:,} bytes, the manifest says {shard.bytes:,}"
    if rows != shard.rows:
        return f"{path}: shard has {rows:,} rows, the manifest says {shard.rows:,}"
    return None


def _absent_objects(files: ShardFiles, shards: Iterable[Shard]) -> list[str]:
    """As above by the listing of the folders; what a remote file holds is judged when it is fetched."""
    system, base = fsspec.core.url_to_fs(files.base)
    names: set[str] = set(system.find(base))
    return [
        f"{files.base}/{shard.path}: shard is missing"
        for shard in shards
        if f"{base.rstrip('/')}/{shard.path}" not in names
    ]
