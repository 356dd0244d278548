"""Read files to rows of `fetches`, `records` and `rejects`, inside Spark tasks."""

from __future__ import annotations

import errno
import functools
import io
import json
import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, NamedTuple, cast

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from refinery.publish import storage
from refinery.sources.arc import read_arc
from refinery.sources.binary_files import needs_spark, whole_files
from refinery.sources.codings import GZIP, ZSTD
from refinery.sources.config import TABLE_FORMATS, ReadLimits, SourceConfig
from refinery.sources.csv_files import read_csv
from refinery.sources.facts import NO_FILE
from refinery.sources.files import (
    EMPTY_FILE,
    open_compressed,
    plain_name,
    read_whole,
    read_zip,
)
from refinery.sources.forms import other_form, peeked
from refinery.sources.hashing import HashedStream
from refinery.sources.json_files import read_jsonl
from refinery.sources.listing import InputFile, partition_values
from refinery.sources.parquet_files import read_parquet
from refinery.sources.record import (
    UNFORESEEN,
    Broken,
    Fetch,
    NoDocument,
    Outcome,
    fetch_row,
    reject_row,
    short_message,
)
from refinery.sources.rows import to_meta
from refinery.sources.spark_tables import open_table, read_rows
from refinery.sources.warc import read_warc
from refinery.tables import UnionRows, union_ddl

TABLES_WRITTEN = ("fetches", "records", "rejects", "files")
UNREADABLE, READER_ERROR, OTHER_FORM = "file:unreadable", "file:reader_error", "file:other_form"
TASK_BYTES = 64 << 20


class NoRegularFileError(OSError):
    """What a folder lists and no reader may open."""


class ListedFile(NamedTuple):
    """What a task must know about a file; `priority` is the index of its source in the recipe."""

    source: str
    name: str
    uri: str
    priority: int


def read_files(
    spark: SparkSession,
    files: Sequence[InputFile],
    sources: Sequence[SourceConfig],
    limits: ReadLimits,
) -> DataFrame:
    """Every record of every file as a row of the table that its `table` column names.

    A large file is one task; small files share tasks. The rows do not depend on how files are dealt.
    """
    priority = {source.name: index for index, source in enumerate(sources)}
    whole = {source.name: source for source in sources if needs_spark(source)}
    listed = [ListedFile(f.source, f.name, f.uri, priority[f.source]) for f in files]
    tables = [f for f in files if f.source in whole and whole[f.source].format == "spark"]
    frames = [
        read_rows(
            open_table(spark, whole[f.source]), whole[f.source], f, priority[f.source], limits
        )
        for f in tables
    ]
    frames += [
        _read_whole_files(spark, source, [f for f in listed if f.source == name], limits)
        for name, source in whole.items()
        if source.format not in TABLE_FORMATS
    ]
    if streamed := [f for f in files if f.source not in whole]:
        frames.append(_read_streamed(spark, streamed, sources, priority, limits))
    return functools.reduce(DataFrame.unionByName, frames)


def _read_streamed(
    spark: SparkSession,
    files: Sequence[InputFile],
    sources: Sequence[SourceConfig],
    priority: Mapping[str, int],
    limits: ReadLimits,
) -> DataFrame:
    rows = [ListedFile(f.source, f.name, f.uri, priority[f.source]) for f in files]
    num_tasks = max(1, min(len(files), sum(f.size for f in files) // TASK_BYTES + 4))
    order = sorted(range(len(files)), key=lambda i: -files[i].size)
    dealt = [[rows[i] for i in order[task::num_tasks]] for task in range(num_tasks)]
    read = functools.partial(
        _read_batches,
        dealt=dealt,
        sources={source.name: source for source in sources},
        limits=limits,
    )
    # Each task gets one row, its number. An RDD of the files would start a second Python process.
    numbers = spark.range(0, num_tasks, 1, num_tasks)
    return numbers.mapInArrow(read, union_ddl(TABLES_WRITTEN))


def _read_whole_files(
    spark: SparkSession, source: SourceConfig, files: Sequence[ListedFile], limits: ReadLimits
) -> DataFrame:
    """Rows of files that Spark opens; those that the listing left out are passed over."""
    run = functools.partial(
        _read_contents, files={file.uri: file for file in files}, source=source, limits=limits
    )
    contents = whole_files(spark, source).select("path", "content")
    return contents.mapInArrow(run, union_ddl(TABLES_WRITTEN))


def _read_contents(
    batches: Iterator[pa.RecordBatch],
    *,
    files: Mapping[str, ListedFile],
    source: SourceConfig,
    limits: ReadLimits,
) -> Iterator[pa.RecordBatch]:
    rows = UnionRows(TABLES_WRITTEN)
    for batch in batches:
        for path, content in zip(batch.column("path"), batch.column("content"), strict=True):
            file = files.get(path.as_py())
            if file is not None:
                stream = io.BytesIO(content.as_buffer())
                yield from FileReader(rows, file, source, limits).read(stream)
    yield from rows.remaining_batches()


def _read_batches(
    batches: Iterator[pa.RecordBatch],
    *,
    dealt: Sequence[Sequence[ListedFile]],
    sources: dict[str, SourceConfig],
    limits: ReadLimits,
) -> Iterator[pa.RecordBatch]:
    rows = UnionRows(TABLES_WRITTEN)
    for batch in batches:
        for number in batch.column("id").to_pylist():
            for file in dealt[number]:
                yield from FileReader(rows, file, sources[file.source], limits).open_and_read()
    yield from rows.remaining_batches()


class FileReader:
    """Appends the rows of one file, whatever it holds: what breaks a reader is a reject, never an end."""

    def __init__(
        self, rows: UnionRows, file: ListedFile, source: SourceConfig, limits: ReadLimits
    ) -> None:
        self._rows, self._file, self._source, self._limits = rows, file, source, limits
        self._origin = {"source": source.name, "file": file.name}
        self._partition = partition_values(file.name)
        self._counts: Counter[str] = Counter()
        self._offset = 0

    def open_and_read(self) -> Iterator[pa.RecordBatch]:
        """Open the file and append its rows; one that cannot be opened is a reject."""
        try:
            stream = open_regular(self._file.uri)
        except NoRegularFileError as error:
            self._reject(NO_FILE, error)
            stream = None
        except UNFORESEEN as error:
            self._reject(UNREADABLE, error)
            stream = None
        if stream is None:
            self._append_file(0, None)
            yield from self._rows.full_batches()
            return
        with stream:
            yield from self.read(stream)

    def read(self, stream: BinaryIO) -> Iterator[pa.RecordBatch]:
        """Append the rows of an opened file; yields the batches that become full."""
        hashed = HashedStream(stream)
        sha256 = None
        others: Counter[str] = Counter()
        try:
            for outcome in self._outcomes(hashed, stream):
                self._offset = getattr(outcome, "offset", self._offset)
                match outcome:
                    case Fetch():
                        self._append_fetch(outcome)
                    case NoDocument():
                        others[outcome.type] += 1
                    case Broken():
                        self._append_reject(outcome)
                yield from self._rows.full_batches()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise  # of this machine's scratch disk: no fault of the file
            self._reject(UNREADABLE, error)
        except UNFORESEEN as error:
            self._reject(READER_ERROR, error)
        if self._source.identity == "content":
            try:
                sha256 = hashed.finish()
            except UNFORESEEN as error:
                self._reject(UNREADABLE, error)
        for kind, count in sorted(others.items()):
            self._rows.append("records", **self._origin, type=kind, count=count)
        self._append_file(hashed.num_bytes, sha256)
        yield from self._rows.full_batches()

    def _outcomes(self, hashed: HashedStream, stream: BinaryIO) -> Iterator[Outcome]:
        if self._source.identity == "content":
            stream = hashed.spooled() if seeks(self._source, self._file.name) else hashed.buffered()
        return read_stream(stream, source=self._source, name=self._file.name, limits=self._limits)

    def _append_fetch(self, fetch: Fetch) -> None:
        row = fetch_row(fetch, self._file.priority)
        if self._partition:
            meta = {**self._partition, **json.loads(fetch.meta)}
            row["meta"] = to_meta(meta)
        self._rows.append("fetches", **self._origin, **row)
        self._counts["fetches"] += 1

    def _append_reject(self, broken: Broken) -> None:
        self._rows.append("rejects", **self._origin, **reject_row(broken))
        self._counts["rejects"] += 1

    def _reject(self, reason: str, error: Exception) -> None:
        message = short_message(f"{type(error).__name__}: {error}")
        self._append_reject(Broken(offset=self._offset, reason=reason, message=message))

    def _append_file(self, num_bytes: int, sha256: str | None) -> None:
        self._rows.append(
            "files", **self._origin, bytes=num_bytes, sha256=sha256,
            fetched=self._counts["fetches"], rejected=self._counts["rejects"],
        )  # fmt: skip


def open_regular(uri: str) -> BinaryIO:
    """Open a file to read.

    Raises:
        NoRegularFileError: It is a pipe, a socket or a device, which might never end, or a link to none.
        OSError: It cannot be opened.
    """
    system, path = storage.file_system(uri)
    if storage.is_local(uri):
        if not os.path.exists(path):
            raise NoRegularFileError(f"no file, or a link to none: {path!r}")
        if os.path.isdir(path):
            raise PermissionError(f"a folder that cannot be listed: {path!r}")
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise NoRegularFileError(f"neither a file nor a folder: {path!r}")
    return cast("BinaryIO", system.open(path, "rb"))


def seeks(source: SourceConfig, name: str) -> bool:
    """Whether the reader of a file jumps in it."""
    return source.format == "parquet" or plain_name(name).endswith(".zip")


def read_stream(
    stream: BinaryIO, *, source: SourceConfig, name: str, limits: ReadLimits
) -> Iterator[Outcome]:
    """Outcomes of one opened file, by the source's format."""
    stream, head = peeked(stream)
    if not head:
        return iter([NoDocument(type=EMPTY_FILE)])
    if (form := other_form(head, source.format)) is not None:
        message = f"is {form}, declared {source.format}"
        return iter([Broken(offset=0, reason=OTHER_FORM, message=message)])
    most = limits.max_document_bytes
    plain = plain_name(name)
    if source.format == "warc":
        read = read_arc if plain.endswith(".arc") else read_warc
        members = stream if head.startswith((GZIP, ZSTD)) else open_compressed(stream)
        return read(members, max_bytes=most, statuses=limits.http_statuses)
    if source.format == "parquet":
        return read_parquet(stream, fields=source.fields, max_bytes=most)
    opened = open_compressed(stream)
    if source.format == "jsonl":
        return read_jsonl(opened, fields=source.fields, max_bytes=most, charset=source.charset)
    if source.format == "csv":
        delimiter = "\t" if plain.endswith((".tsv", ".tab")) else ","
        return read_csv(
            opened, delimiter=delimiter, fields=source.fields, max_bytes=most,
            charset=source.charset,
        )  # fmt: skip
    mime = "text/html" if source.format == "html" else "text/plain"
    if plain.endswith(".zip"):
        return read_zip(
            stream, mime=mime, url_prefix=source.url_prefix, max_bytes=most,
            charset=source.charset,
        )  # fmt: skip
    url = f"{source.url_prefix}{name}" if source.url_prefix is not None else None
    return read_whole(opened, mime=mime, url=url, max_bytes=most, charset=source.charset)
