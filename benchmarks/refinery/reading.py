"""How often is a byte of the input read, by how many requests, and how fast is an archive read?

Archives of generated pages lie on an S3 store in this process, and the reader of `ingest` reads them
as its tasks do: rows, and the SHA-256 of each file. Bytes and requests are counted where s3fs sends
them. The speed is that of one core over a local file, beside FastWARC's loop over the same records
with the same hash; `damaged` has one member in a hundred broken.

    python -m benchmarks.refinery.reading --megabytes 200
"""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.record import argument_parser, record
from refinery.publish import storage
from refinery.sources.config import ReadLimits, SourceConfig
from refinery.sources.reading import TABLES_WRITTEN, FileReader, ListedFile
from refinery.tables import UnionRows

WORDS = [f"{a}{b}" for a in ["the", "river", "market", "winter", "paper", "stone", "light"] for b in ("", "s", "ing", "ed")]  # fmt: skip
PAGE_WORDS = 12_000
BUCKET = "archives"


def page(chance: random.Random) -> bytes:
    body = " ".join(chance.choices(WORDS, k=PAGE_WORDS))
    return f"<!doctype html><html><body><p>{body} {chance.random()}</p></body></html>".encode()


def member(number: int, body: bytes) -> bytes:
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + body
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a.example/{number}\r\n"
        f"WARC-Date: 2024-05-06T07:08:09Z\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(http)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + http + b"\r\n\r\n", 6, mtime=0)


def write_archives(folder: Path, megabytes: int) -> tuple[dict[str, Path], int]:
    """A sound archive, a damaged one and a table of the same pages; their plain bytes."""
    chance = random.Random(0)
    pages = [page(chance) for _ in range(20)]
    num_pages = max(200, megabytes * 1_000_000 // len(pages[0]))
    paths = {name: folder / name for name in ("sound.warc.gz", "damaged.warc.gz", "pages.parquet")}
    with paths["sound.warc.gz"].open("wb") as sound, paths["damaged.warc.gz"].open("wb") as damaged:
        for number in range(num_pages):
            packed = member(number, pages[number % len(pages)])
            sound.write(packed)
            if number % 100 == 50:
                middle = len(packed) // 2
                packed = packed[:middle] + b"\xff" * 64 + packed[middle + 64 :]
            damaged.write(packed)
    texts = pa.table({"text": [str(n) + pages[n % 20].decode() for n in range(num_pages)]})
    pq.write_table(texts, paths["pages.parquet"], row_group_size=64, compression="zstd")
    return paths, sum(len(p) for p in pages) // 20 * num_pages


@contextmanager
def counted_store() -> Iterator[dict[str, int]]:
    """An S3 store, and the bytes and requests of reading from it."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://{host}:{port}", AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x",
        AWS_DEFAULT_REGION="us-east-1",
    )  # fmt: skip
    counts = {"requests": 0, "bytes": 0}
    fetch = s3fs.S3File._fetch_range

    def counting(self: Any, start: int, end: int) -> Any:
        data = fetch(self, start, end)
        counts["requests"] += 1
        counts["bytes"] += len(data)
        return data

    s3fs.S3File._fetch_range = counting
    try:
        yield counts
    finally:
        s3fs.S3File._fetch_range = fetch
        server.stop()


def read(uri: str, kind: str) -> dict[str, int]:
    """Rows by table of one file, read as a task does."""
    source = SourceConfig.model_validate({"name": "s", "uri": uri, "format": kind})
    rows = UnionRows(TABLES_WRITTEN)
    file = ListedFile("s", uri.rsplit("/", 1)[-1], uri, 0)
    counts = dict.fromkeys(TABLES_WRITTEN, 0)
    reader = FileReader(rows, file, source, ReadLimits()).open_and_read()
    for batches in (reader, rows.remaining_batches()):
        for batch in batches:
            for name in batch.column("table").to_pylist():
                counts[name] += 1
    return counts


def read_by_fastwarc(path: Path) -> int:
    from fastwarc.warc import ArchiveIterator

    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while piece := stream.read(1 << 20):
            digest.update(piece)
        stream.seek(0)
        return sum(bool(one.reader.read()) for one in ArchiveIterator(stream, parse_http=False))


def main() -> None:
    """Write the archives, read them from the store and from the disk, and record."""
    parser = argument_parser(__doc__)
    parser.add_argument("--megabytes", type=int, default=200, help="of plain HTML")
    args = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        paths, plain_bytes = write_archives(Path(scratch), args.megabytes)
        with counted_store() as counts:
            system, _ = storage.file_system(f"s3://{BUCKET}")
            system.makedirs(BUCKET, exist_ok=True)
            for name, path in paths.items():
                system.put(str(path), f"{BUCKET}/{name}")
                counts.update(requests=0, bytes=0)
                rows = read(f"s3://{BUCKET}/{name}", "parquet" if "parquet" in name else "warc")
                size = path.stat().st_size
                result[name] = {
                    "file_bytes": size,
                    "bytes_read_over_file_bytes": round(counts["bytes"] / size, 3),
                    "requests": counts["requests"],
                    "rows": rows,
                }
        for name, run in (
            ("read_and_hash", lambda: read(str(paths["sound.warc.gz"]), "warc")),
            ("fastwarc_and_hash", lambda: read_by_fastwarc(paths["sound.warc.gz"])),
        ):
            started = time.process_time()
            run()
            seconds = time.process_time() - started
            result[f"{name}_plain_megabytes_per_core_second"] = round(plain_bytes / 1e6 / seconds)
    record("reading", result)


if __name__ == "__main__":
    main()
