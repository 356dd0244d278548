"""Read files to rows of `fetches`, `records` and `rejects`, inside Spark tasks."""

from __future__ import annotations

import functools
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from refinery.publish import storage
from refinery.sources.arc import read_arc
from refinery.sources.binary_files import needs_spark, whole_files
from refinery.sources.config import ReadLimits, SourceConfig
from refinery.sources.files import COMPRESSED_ENDINGS, open_compressed, read_whole, read_zip
from refinery.sources.listing import InputFile
from refinery.sources.record import Broken, Fetch, NoDocument, Outcome, document_id, short_message
from refinery.sources.rows import read_csv, read_jsonl, read_parquet
from refinery.sources.warc import read_warc
from refinery.tables import UnionRows, union_ddl
from schemas.fingerprints import sha256_hex

TABLES_WRITTEN = ("fetches", "records", "rejects")
TASK_BYTES = 64 << 20


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
    frames = [
        _read_whole_files(spark, source, [f for f in listed if f.source == name], limits)
        for name, source in whole.items()
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
                yield from _read_opened(rows, stream, file, source, limits)
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
                yield from _read_file(rows, file, sources[file.source], limits)
    yield from rows.remaining_batches()


def _read_file(
    rows: UnionRows, file: ListedFile, source: SourceConfig, limits: ReadLimits
) -> Iterator[pa.RecordBatch]:
    """Open a file and append its rows; a broken file keeps the documents before its fault."""
    system, path = storage.file_system(file.uri)
    try:
        stream = system.open(path, "rb")
    except OSError as error:
        _append_unreadable(rows, file, error)
        yield from rows.full_batches()
        return
    with stream:
        yield from _read_opened(rows, stream, file, source, limits)


def _append_unreadable(rows: UnionRows, file: ListedFile, error: OSError) -> None:
    broken = Broken(offset=0, reason="file:unreadable", message=short_message(error))
    rows.append("rejects", source=file.source, file=file.name, **_reject_row(broken))


def _read_opened(
    rows: UnionRows, stream: BinaryIO, file: ListedFile, source: SourceConfig, limits: ReadLimits
) -> Iterator[pa.RecordBatch]:
    """Append the rows of an opened file; yields the batches that become full."""
    origin = {"source": source.name, "file": file.name}
    others: Counter[str] = Counter()
    try:
        for outcome in read_stream(stream, source=source, name=file.name, limits=limits):
            match outcome:
                case Fetch():
                    rows.append("fetches", **origin, **_fetch_row(outcome, file))
                case NoDocument():
                    others[outcome.type] += 1
                case Broken():
                    rows.append("rejects", **origin, **_reject_row(outcome))
            yield from rows.full_batches()
    except OSError as error:
        _append_unreadable(rows, file, error)
    for kind, count in sorted(others.items()):
        rows.append("records", **origin, type=kind, count=count)
    yield from rows.full_batches()


def read_stream(
    stream: BinaryIO, *, source: SourceConfig, name: str, limits: ReadLimits
) -> Iterator[Outcome]:
    """Outcomes of one opened file, by the source's format."""
    most = limits.max_document_bytes
    plain_name = name.lower()
    for ending in COMPRESSED_ENDINGS:
        plain_name = plain_name.removesuffix(ending)
    if source.format == "warc":
        if plain_name.endswith(".arc"):
            return read_arc(open_compressed(stream, name), max_bytes=most)
        return read_warc(stream, max_bytes=most)
    if source.format == "parquet":
        return read_parquet(stream, fields=source.fields, max_bytes=most)
    plain = open_compressed(stream, name)
    if source.format == "jsonl":
        return read_jsonl(plain, fields=source.fields, max_bytes=most)
    if source.format == "csv":
        delimiter = "\t" if plain_name.endswith((".tsv", ".tab")) else ","
        return read_csv(plain, delimiter=delimiter, fields=source.fields, max_bytes=most)
    mime = "text/html" if source.format == "html" else "text/plain"
    if plain_name.endswith(".zip"):
        return read_zip(stream, mime=mime, url_prefix=source.url_prefix, max_bytes=most)
    url = f"{source.url_prefix}{name}" if source.url_prefix is not None else None
    return read_whole(plain, mime=mime, url=url, max_bytes=most)


def _fetch_row(fetch: Fetch, file: ListedFile) -> dict[str, Any]:
    return {
        "doc_id": document_id(fetch.url, fetch.payload),
        "url": fetch.url,
        "fetched_at": fetch.fetched_at,
        "mime": fetch.mime,
        "charset": fetch.charset,
        "payload": fetch.payload,
        "payload_sha256": sha256_hex(fetch.payload),
        "meta": fetch.meta,
        "priority": file.priority,
        "offset": fetch.offset,
    }


def _reject_row(broken: Broken) -> dict[str, Any]:
    return {
        "doc_id": None,
        "url": broken.url,
        "offset": broken.offset,
        "stage": "ingest",
        "reason": broken.reason,
        "message": broken.message,
    }
