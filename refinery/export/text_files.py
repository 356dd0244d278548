"""Files of kept text: JSONL and Parquet, compressed by choice, and a folder for the Hugging Face Hub."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from refinery.export.rows import EXPORT_SCHEMA

TEXT_ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
COMPRESSIONS = ("zstd", "snappy", "gzip", "none")
FILE_ROWS = 200_000


def write_text(path: Path, batches: Iterator[pa.RecordBatch], compression: str = "zstd") -> int:
    """Write the file that the name's ending says; returns the number of documents."""
    if path.name.endswith(".parquet"):
        return _write_parquet(path, batches, compression)
    return write_jsonl(path, batches)


def write_jsonl(path: Path, batches: Iterator[pa.RecordBatch]) -> int:
    """One JSON object per line, in the compression of the name's ending."""
    count = 0
    with _open(path) as stream:
        for batch in batches:
            for row in batch.to_pylist():
                line = json.dumps(_plain(row), ensure_ascii=False) + "\n"
                stream.write(line.encode("utf-8"))
                count += 1
    return count


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON has it: scores and the other fields of its record as objects."""
    meta = json.loads(row["meta"]) if row["meta"] else {}
    return {**row, "scores": dict(row["scores"] or ()), "meta": meta}


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """A stream of bytes that are compressed as the name's ending says."""
    with path.open("wb") as file:
        if path.name.endswith(".gz"):
            # No time and no name inside: equal rows give equal bytes.
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as stream:
                yield stream
        elif path.name.endswith(".zst"):
            with zstandard.ZstdCompressor().stream_writer(file, closefd=False) as stream:
                yield stream
        else:
            yield file


def _write_parquet(path: Path, batches: Iterator[pa.RecordBatch], compression: str) -> int:
    count = 0
    with pq.ParquetWriter(path, EXPORT_SCHEMA, compression=compression) as writer:
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def write_hub_folder(
    folder: Path, batches: Iterator[pa.RecordBatch], *, name: str, compression: str = "zstd"
) -> int:
    """A folder that `datasets.load_dataset` reads: Parquet by split, and a card; returns the documents."""
    (folder / "data").mkdir(parents=True)
    counts: Counter[str] = Counter()
    licences: Counter[str] = Counter()
    languages: Counter[str] = Counter()
    with ExitStack() as open_files:
        writers: dict[str, pq.ParquetWriter] = {}
        for batch in batches:
            licences.update(filter(None, batch.column("license").to_pylist()))
            languages.update(filter(None, batch.column("lang").to_pylist()))
            for split in sorted(set(batch.column("split").to_pylist())):
                part = batch.filter(pc.equal(batch.column("split"), split))
                file = f"{split}-{counts[split] // FILE_ROWS:05d}.parquet"
                if file not in writers:
                    writer = pq.ParquetWriter(
                        folder / "data" / file, EXPORT_SCHEMA, compression=compression
                    )
                    writers[file] = open_files.enter_context(writer)
                writers[file].write_batch(part)
                counts[split] += part.num_rows
    card = _card(name, counts, languages, licences)
    (folder / "README.md").write_text(card, "utf-8")
    return counts.total()


def _card(name: str, counts: Counter[str], languages: Counter[str], licences: Counter[str]) -> str:
    files = [
        f"      - {{split: {split}, path: data/{split}-*.parquet}}" for split in sorted(counts)
    ]
    rows = [f"| {split} | {counts[split]:,} |" for split in sorted(counts)]
    known = [f"| {licence} | {count:,} |" for licence, count in licences.most_common(20)]
    return "\n".join(
        [
            "---",
            f"pretty_name: {json.dumps(name)}",
            # In quotes: the code of Norwegian is `no`.
            f"language: {json.dumps(sorted(languages))}",
            "task_categories: [text-generation, fill-mask]",
            "configs:",
            "  - config_name: default",
            "    data_files:",
            *files,
            "---",
            f"# {name}",
            "",
            "| split | documents |",
            "|---|---:|",
            *rows,
            "",
            "Licences that the documents' own records name; the others name none:",
            "",
            "| licence | documents |",
            "|---|---:|",
            *(known or ["| none | 0 |"]),
            "",
        ]
    )
