"""Packed rows in the order of the cursor, and a thread that reads ahead."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from schemas.manifest import MANIFEST_NAME, Manifest
from train.data.config import LoaderConfig
from train.data.cursor import Cursor, DataOrder, Int64s
from train.data.packed import Int32s, PackedRows
from train.data.remote import ShardFiles
from train.data.shards import RowGroup, Segment, ShardReader

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, kw_only=True)
class RowOrigin:
    """Where a sample comes from.

    Attributes:
        manifest_root: Root hash of the manifest that gives the sample.
        row: Number of the row in the manifest's training split.
        segments: Pieces of documents that the row holds, in their order.
    """

    manifest_root: str
    row: int
    segments: list[Segment]


@dataclass(frozen=True, kw_only=True)
class SplitReader:
    """The rows of one split of a manifest, in the order of its cursor."""

    manifest: Manifest
    sources: tuple[str, ...]
    reader: ShardReader
    cursor: Cursor

    def read(self, samples: Int64s) -> PackedRows:
        """The packed rows of some samples, in the samples' order."""
        return _gather_rows(self.reader, self.cursor.rows(samples), samples, self.sources)

    @property
    def num_rows(self) -> int:
        """Number of rows that one pass reads."""
        return self.cursor.num_rows

    def origin(self, sample: int) -> RowOrigin:
        row = self.cursor.locate(sample).row
        return RowOrigin(
            manifest_root=self.manifest.root, row=row, segments=self.reader.segments(row)
        )


def open_split(
    files: ShardFiles,
    manifest: Manifest,
    config: LoaderConfig,
    *,
    split: str,
    seed: int,
    sources: tuple[str, ...] | None = None,
    order: DataOrder = "by_seed",
) -> SplitReader:
    """Open a split; shards are opened and verified when their first row is read.

    Args:
        files: The files of the dataset.
        manifest: The manifest of the dataset.
        config: How the shards are verified and cached.
        split: Name of the split, `train` or `heldout`.
        seed: Seed of the order of the training split; the held-out one has the order of its shards.
        sources: Names that `PackedRows.segment_source` numbers; by default the split's own.
        order: How the passes over the training split are ordered.
    """
    part = manifest.train if split == "train" else manifest.heldout
    sources = sources or tuple(sorted(part.sources))
    groups = config.cache_row_groups or manifest.lanes + 2
    reader = ShardReader(
        files,
        part.shards,
        seq_len=manifest.seq_len,
        sources=sources,
        cache_groups=groups,
        verify=config.verify,
        extra_columns=manifest.columns,
    )
    if split == "train":
        cursor = Cursor.of_split(part, lanes=manifest.lanes, seed=seed, order=order)
    else:
        cursor = Cursor.of_split(part, lanes=1, seed=seed, order="by_shard")
    return SplitReader(manifest=manifest, sources=sources, reader=reader, cursor=cursor)


def shard_files(manifest: str, config: LoaderConfig) -> ShardFiles:
    """The files of the dataset whose manifest a recipe names."""
    cache = Path(config.cache_dir) if config.cache_dir is not None else None
    base = manifest.removesuffix(MANIFEST_NAME) if manifest != MANIFEST_NAME else "."
    return ShardFiles(base, cache_dir=cache, cache_bytes=config.cache_bytes)


def _gather_rows(
    reader: ShardReader, rows: Int64s, samples: Int64s, sources: tuple[str, ...]
) -> PackedRows:
    """Copy rows out of their row groups, one slice per run of neighbouring rows."""
    located = [reader.locate(int(row)) for row in rows]
    spans = [_segment_span(group, index) for group, index in located]
    counts = np.array([end - start for start, end in spans], dtype=np.int64)
    return PackedRows(
        input_ids=np.stack([group.input_ids[index] for group, index in located]),
        next_token=np.array([group.next_token[index] for group, index in located], np.int32),
        sample_index=samples,
        segment_row=np.repeat(np.arange(len(rows), dtype=np.int32), counts),
        segment_start=_joined(located, spans, lambda group: group.segment_start),
        segment_length=_joined(located, spans, lambda group: group.segment_length),
        segment_source=_joined(located, spans, lambda group: group.segment_source),
        document_start=_joined(located, spans, lambda group: group.document_start),
        sources=sources,
        extra={
            name: np.stack([group.extra[name][index] for group, index in located])
            for name in reader.extra_columns
        },
    )


def _segment_span(group: RowGroup, index: int) -> tuple[int, int]:
    return int(group.segment_offsets[index]), int(group.segment_offsets[index + 1])


def _joined(
    located: list[tuple[RowGroup, int]],
    spans: list[tuple[int, int]],
    values: Callable[[RowGroup], Int32s],
) -> Int32s:
    parts = [
        values(group)[start:end] for (group, _), (start, end) in zip(located, spans, strict=True)
    ]
    return np.concatenate(parts)


class Prefetch(Generic[ItemT]):
    """Run an iterator in a thread, a bounded number of items ahead; its error surfaces in `next`.

    `waited_seconds` is the time that the consumer spent waiting.
    """

    _END = object()

    def __init__(self, items: Iterator[ItemT], *, depth: int) -> None:
        self.waited_seconds = 0.0
        self._queue: queue.Queue[object] = queue.Queue(maxsize=depth)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._fill, args=(items,), daemon=True)
        self._thread.start()

    def _fill(self, items: Iterator[ItemT]) -> None:
        try:
            for item in items:
                if not self._put(item):
                    return
        except BaseException as error:
            self._error = error  # raised again in the consumer's thread
        self._put(self._END)

    def _put(self, item: object) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[ItemT]:
        return self

    def __next__(self) -> ItemT:
        start = time.perf_counter()
        item = self._queue.get()
        self.waited_seconds += time.perf_counter() - start
        if item is self._END:
            if self._error is not None:
                raise self._error
            raise StopIteration
        return item  # type: ignore[return-value]

    def close(self) -> None:
        """Stop the thread; items that it had ready are lost."""
        self._stop.set()
        self._thread.join()
