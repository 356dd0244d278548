"""The clean stage in Spark: HTML in, `cleaned` and its ledger out, warm, guard on.

    python -m benchmarks.refinery.clean_stage LABELLED.parquet [--mb 400] [--cores 2]

Pages of the labelled file, one after the other and again from the start until there are enough
megabytes, lie in Parquet as the ingest stage writes them. A first pass over some of them loads
models and compiles; the second is measured. A core-second is one of Spark's tasks in the JVM or of a
Python process (workers and guarded children). The heap is 1 GB. One case for each size.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.process_memory import WorkerMemory
from benchmarks.record import argument_parser, record
from jobs.pipeline.metering import metered
from jobs.spark.java import find_java
from jobs.spark.session import build_session
from refinery.clean.config import CleanConfig
from refinery.clean.rows import clean_documents
from refinery.publish.store import summarise_table
from refinery.recipe import Runtime

WARM_PAGES = 200
FILE_BYTES = 48 << 20
GROUP_BYTES = 16 << 20
SCHEMA = pa.schema(
    [
        ("doc_id", pa.string()), ("source", pa.string()), ("url", pa.string()),
        ("mime", pa.string()), ("charset", pa.string()), ("payload", pa.binary()),
        ("file", pa.string()), ("offset", pa.int64()), ("num_fetches", pa.int32()),
        ("is_excluded", pa.bool_()),
    ]
)  # fmt: skip


def endless(pages: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """(number, page), again from the start after the last."""
    number = 0
    while True:
        yield number, pages[number % len(pages)]
        number += 1


def write_pages(pages: Sequence[bytes], folder: Path, *, num_bytes: int) -> int:
    """Fill a folder with Parquet files of `num_bytes` of HTML together; returns the bytes."""
    folder.mkdir()
    written = in_group = in_file = 0
    rows: list[dict[str, object]] = []
    writer: pq.ParquetWriter | None = None
    for number, page in endless(pages):
        url = f"https://site{number % 997}.example.org/{number}"
        rows.append(
            {
                "doc_id": hashlib.sha256(url.encode()).hexdigest()[:32],
                "source": "web", "url": url, "mime": "text/html", "payload": page, "file": "pages",
                "offset": number, "num_fetches": 1, "is_excluded": False,
            }
        )  # fmt: skip
        written, in_group, in_file = (n + len(page) for n in (written, in_group, in_file))
        if in_group < GROUP_BYTES and written < num_bytes:
            continue
        if writer is None:
            name = folder / f"pages-{number:08d}.parquet"
            writer = pq.ParquetWriter(name, SCHEMA, compression="zstd")
        writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
        rows, in_group = [], 0
        if in_file >= FILE_BYTES or written >= num_bytes:
            writer.close()
            writer, in_file = None, 0
        if written >= num_bytes:
            return written
    raise AssertionError("the pages have no end")


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("labelled", type=Path, help="Parquet file with a column `html`")
    parser.add_argument("--mb", type=int, default=400)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--heap", default="1g")
    parser.add_argument("--scratch", type=Path, help="where the pages lie meanwhile")
    args = parser.parse_args()
    os.environ["JAVA_HOME"] = str(find_java().home)
    os.environ["PYSPARK_SUBMIT_ARGS"] = (
        f"--master local[{args.cores}] --driver-memory {args.heap} pyspark-shell"
    )
    pages = pq.read_table(args.labelled, columns=["html"]).column("html").to_pylist()
    with tempfile.TemporaryDirectory(dir=args.scratch) as name:
        scratch = Path(name)
        warm_bytes = sum(len(page) for page in pages[:WARM_PAGES])
        write_pages(pages[:WARM_PAGES], scratch / "warm", num_bytes=warm_bytes)
        size = write_pages(pages, scratch / "pages", num_bytes=args.mb * 1_000_000)
        del pages
        session = build_session("clean-stage", Runtime(output=str(scratch / "out")))

        def clean(folder: str) -> None:
            rows = session.read.parquet(str(scratch / folder))
            cleaned = clean_documents(rows, CleanConfig(), {})
            cleaned.write.partitionBy("table").parquet(str(scratch / f"{folder}-out"))

        memory = WorkerMemory(os.getpid())
        memory.start()
        clean("warm")
        started = time.monotonic()
        with metered(session) as meter:
            clean("pages")
        seconds = time.monotonic() - started
        peaks = memory.stop()
        cost = meter.cost
        core_seconds = cost.jvm_cpu_seconds + (cost.python_cpu_seconds or 0.0)
        tables = {
            table: summarise_table(str(scratch / "pages-out" / f"table={table}")).rows
            for table in ("cleaned", "rejects")
        }
        session.stop()
    record(
        "clean_stage",
        {
            "html_mb": round(size / 1e6, 1),
            "rows": tables,
            "seconds": round(seconds, 1),
            "jvm_core_seconds": cost.jvm_cpu_seconds,
            "python_core_seconds": cost.python_cpu_seconds,
            "mb_per_core_second": round(size / 1e6 / core_seconds, 2),
            "peak_mb": peaks,
            "jvm_peak_mb": round(memory.jvm_resident),
            "heap": args.heap,
            "cores": args.cores,
        },
        case=f"{args.mb} MB",
    )


if __name__ == "__main__":
    main()
