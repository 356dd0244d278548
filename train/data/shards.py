"""Rows of a manifest by number; shards are verified when opened, decoded row groups are cached."""

from __future__ import annotations

import hashlib
import logging
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from schemas.errors import ContractError
from schemas.manifest import Shard
from schemas.rows import content_sha256, read_row_groups
from train.data.remote import ShardFiles

logger = logging.getLogger(__name__)

Int32s = NDArray[np.int32]
_READ_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class RowGroup:
    """Decoded rows of one row group. Shapes: N rows, T tokens, S segments of all rows in order.

    Attributes:
        input_ids: Token ids [N, T].
        next_token: Token [N] that follows each row in its document, -1 where none does.
        segment_offsets: Index [N + 1] of each row's first segment, and S.
        segment_start: Position [S] of each segment's first token in its row.
        segment_length: Number [S] of each segment's tokens.
        segment_source: Index [S] of each segment's source.
        document_start: Position [S] in its document of each segment's first token.
        extra: Optional columns: [N] or, for lists, [N, T].
    """

    input_ids: Int32s
    next_token: Int32s
    segment_offsets: Int32s
    segment_start: Int32s
    segment_length: Int32s
    segment_source: Int32s
    document_start: Int32s
    extra: dict[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A piece of a document in a row; starts and length are in tokens."""

    doc_id: str
    source: str
    copy: int
    doc_start: int
    row_start: int
    length: int


@dataclass
class _OpenShard:
    file: pq.ParquetFile
    group_starts: list[int] = field(default_factory=list)


class ShardReader:
    """Random access to the rows of one split.

    Threads may share it. It holds `cache_groups` decoded row groups; that used longest ago leaves.
    """

    def __init__(
        self,
        files: ShardFiles,
        shards: Sequence[Shard],
        *,
        seq_len: int,
        sources: Sequence[str],
        cache_groups: int = 64,
        verify: str = "file",
        extra_columns: Sequence[str] = (),
    ) -> None:
        self._files = files
        self._shards = tuple(shards)
        self._seq_len = seq_len
        self._sources = pa.array(sources, pa.string())
        self._starts = [0, *accumulate(shard.rows for shard in shards)]
        self._cache: OrderedDict[tuple[int, int], RowGroup] = OrderedDict()
        self._cache_groups = cache_groups
        self._open: dict[int, _OpenShard] = {}
        self._verify = verify
        self._extra_columns = tuple(extra_columns)
        self._lock = threading.Lock()

    @property
    def extra_columns(self) -> tuple[str, ...]:
        """Names of the optional columns that are read."""
        return self._extra_columns

    @property
    def num_rows(self) -> int:
        """Number of rows of the split."""
        return self._starts[-1]

    def locate(self, row: int) -> tuple[RowGroup, int]:
        """The decoded row group that holds a row, and the row's index in it.

        Raises:
            ContractError: The shard is missing or is not what the manifest says.
        """
        index = bisect_right(self._starts, row) - 1
        with self._lock:
            shard = self._opened(index)
            within = row - self._starts[index]
            group = bisect_right(shard.group_starts, within) - 1
            return self._group(index, group), within - shard.group_starts[group]

    def segments(self, row: int) -> list[Segment]:
        """The pieces of documents in a row, with the strings that training never reads."""
        index = bisect_right(self._starts, row) - 1
        with self._lock:
            shard = self._opened(index)
            within = row - self._starts[index]
            group = bisect_right(shard.group_starts, within) - 1
            column = shard.file.read_row_group(group, columns=["segments"]).column(0)
        segments = column[within - shard.group_starts[group]].as_py()
        return [Segment(**segment) for segment in segments]

    def tokens_by_source(self) -> NDArray[np.int64]:
        """Tokens [N, O] of each source in each row of the split; reads no token."""
        counts = np.zeros((self.num_rows, len(self._sources)), np.int64)
        row = 0
        with self._lock:
            for index in range(len(self._shards)):
                shard = self._opened(index)
                for group in range(len(shard.group_starts)):
                    column = shard.file.read_row_group(group, columns=["segments"]).column(0)
                    segments = column.combine_chunks()
                    lengths = segments.value_lengths().to_numpy()
                    parts = segments.flatten()
                    source = pc.index_in(parts.field("source"), value_set=self._sources)
                    rows = row + np.repeat(np.arange(len(lengths)), lengths)
                    np.add.at(counts, (rows, source.to_numpy()), parts.field("length").to_numpy())
                    row += len(lengths)
        return counts

    def close(self) -> None:
        with self._lock:
            for shard in self._open.values():
                shard.file.close()
            self._open.clear()

    def _opened(self, index: int) -> _OpenShard:
        if index not in self._open:
            entry = self._shards[index]
            path = self._files.local(entry.path)
            verify_shard(path, entry, how=self._verify)
            file = pq.ParquetFile(path)
            meta = file.metadata
            rows = [meta.row_group(number).num_rows for number in range(meta.num_row_groups)]
            if sum(rows) != entry.rows:
                raise ContractError(
                    f"{path}: holds {sum(rows)} rows, the manifest says {entry.rows}",
                    entity=str(path),
                )
            self._open[index] = _OpenShard(file, [0, *accumulate(rows)][:-1])
        return self._open[index]

    def _group(self, index: int, group: int) -> RowGroup:
        key = (index, group)
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        columns = ["input_ids", "segments", "next_token", *self._extra_columns]
        table = self._open[index].file.read_row_group(group, columns=columns, use_threads=False)
        decoded = self._decode(table, self._shards[index].path)
        self._cache[key] = decoded
        if len(self._cache) > self._cache_groups:
            self._cache.popitem(last=False)
        return decoded

    def _decode(self, table: pa.Table, path: str) -> RowGroup:
        ids = table.column("input_ids").combine_chunks()
        flat = ids.flatten().to_numpy()
        if flat.size != len(ids) * self._seq_len:
            raise ContractError(
                f"{path}: a row group of {len(ids)} rows holds {flat.size} tokens, "
                f"expected {self._seq_len} per row",
                entity=path,
            )
        segments = table.column("segments").combine_chunks()
        parts = segments.flatten()
        offsets = np.concatenate(([0], np.cumsum(segments.value_lengths().to_numpy())))
        codes = pc.index_in(parts.field("source"), value_set=self._sources)
        if codes.null_count:
            raise ContractError(
                f"{path}: rows of a source that the manifest does not list", entity=path
            )
        return RowGroup(
            input_ids=flat.reshape(len(ids), self._seq_len),
            next_token=table.column("next_token").to_numpy(),
            segment_offsets=offsets.astype(np.int32),
            segment_start=parts.field("row_start").to_numpy(),
            segment_length=parts.field("length").to_numpy(),
            segment_source=codes.to_numpy().astype(np.int32),
            document_start=parts.field("doc_start").to_numpy(),
            extra={name: _optional(table.column(name)) for name in self._extra_columns},
        )


def _optional(column: pa.ChunkedArray) -> NDArray[Any]:
    """The values of an optional column: one per row, or one per token."""
    values = column.combine_chunks()
    if pa.types.is_list(values.type):
        flat = values.flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(len(values), -1)  # type: ignore[no-any-return]
    return values.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def verify_shard(path: Path, shard: Shard, *, how: str) -> None:
    """Compare a shard's file with its entry in the manifest.

    A file with other bytes but equal rows was rewritten: it is accepted with a warning.

    Raises:
        ContractError: The file is missing, or its rows are not those of the manifest.
    """
    if not path.is_file():
        raise ContractError(f"{path}: shard is missing", entity=str(path))
    if how == "none":
        return
    if how == "file" and file_sha256(path) == shard.sha256:
        return
    content = content_sha256(read_row_groups(path))
    if content != shard.content_sha256:
        raise ContractError(
            f"{path}: rows have SHA-256 {content[:16]}..., the manifest says "
            f"{shard.content_sha256[:16]}...; the shard was altered",
            entity=str(path),
        )
    if how == "file":
        logger.warning("%s: another file with the same rows; accepted", path)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()
