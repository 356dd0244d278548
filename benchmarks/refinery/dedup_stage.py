"""Run the whole dedup stage over generated documents in one local Spark, and watch its memory.

Used by `benchmarks.races.dedup` as a process of its own, so that heap, start-up and
CPU seconds are those of one run:

    python -m benchmarks.refinery.dedup_stage FOLDER OUTPUT [--cores 2] [--heap 1g]

FOLDER holds Parquet as `corpora.texts.write_parquet` writes it, in lieu of the clean stage's
tables. Prints one JSON line.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from benchmarks.process_memory import WorkerMemory, cpu_seconds
from benchmarks.record import argument_parser
from jobs.pipeline.stage import StageContext
from jobs.spark.java import find_java
from jobs.spark.session import build_session
from jobs.stages.dedup import STAGE
from refinery.publish.records import StageRecord
from refinery.publish.store import Store, summarise_table
from refinery.recipe import RefineSettings
from schemas.settings import parse_settings


def prepare(folder: Path, store: Store, run: str) -> StageRecord:
    """A record of the clean stage whose tables are links to the generated files."""
    attempt = Path(store.root) / "clean" / run
    for table in ("cleaned", "ledger"):
        (attempt / f"table={table}").mkdir(parents=True)
        for file in sorted(folder.glob("*.parquet")):
            os.link(file, attempt / f"table={table}" / file.name)
    tables = {t: summarise_table(str(attempt / f"table={t}")) for t in ("cleaned", "ledger")}
    return StageRecord(
        stage="clean",
        fingerprint="0" * 64,
        attempt=run,
        tables=tables,
        artefacts={},
        inputs={},
        seconds=0.0,
        started_at="2000-01-01T00:00:00+00:00",
        code_version="0",
    )


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--heap", default="1g")
    parser.add_argument("--partitions", type=int, default=16)
    parser.add_argument("--write-kept", action="store_true", help="write the documents that stay")
    args = parser.parse_args()
    os.environ["JAVA_HOME"] = str(find_java().home)
    os.environ["PYSPARK_SUBMIT_ARGS"] = (
        f"--master local[{args.cores}] --driver-memory {args.heap} pyspark-shell"
    )
    sources = [{"name": f"web-{lang}", "uri": "none", "format": "text"} for lang in ("en", "zh")]
    plain = {
        "recipe": {"name": "bench", "sources": sources, "packing": {}},
        "runtime": {"output": str(args.output), "partitions": args.partitions},
    }
    settings = parse_settings(RefineSettings, plain, where="benchmark")
    store = Store(str(args.output / "tables"))
    record = prepare(args.folder, store, "generated")
    memory = WorkerMemory(os.getpid())
    memory.start()
    started = time.monotonic()
    session = build_session("bench", settings.runtime)
    ready = time.monotonic()
    context = StageContext(
        recipe=settings.recipe,
        runtime=settings.runtime,
        store=store,
        records={"clean": record},
        attempt_uri=store.new_attempt("dedup"),
        fingerprint="1" * 64,
        spark=session,
    )
    STAGE.run(context)
    ended = time.monotonic()
    if args.write_kept:
        gone = context.read_back("duplicates").select("doc_id")
        kept = context.read("cleaned").join(gone, ["doc_id"], how="left_anti")
        kept.select("doc_id", "source", "text").write.parquet(str(args.output / "kept"))
    written = time.monotonic()
    removed = context.read_back("duplicates").count()
    cpu = cpu_seconds(os.getpid())
    peaks = memory.stop()
    documents = record.tables["cleaned"].rows
    print(
        json.dumps(
            {
                "documents": documents,
                "kept": documents - removed,
                "start_seconds": round(ready - started, 1),
                "stage_seconds": round(ended - ready, 1),
                "write_seconds": round(written - ended, 1),
                "cpu_seconds": round(cpu, 1),
                "worker_peak_mb": peaks["worker"],
                "worker_resident_peak_mb": peaks["worker_resident"],
                "jvm_peak_mb": round(memory.jvm_resident),
                "heap": args.heap,
                "counts": context.counts,
                "duplicates": context.attempt_uri,
            }
        )
    )
    session.stop()


if __name__ == "__main__":
    main()
