"""Run the whole dedup stage over generated documents in one local Spark, and watch its memory.

Used by `growth_dedup.py` and `race_dedup.py` as a process of its own, so that heap, start-up and
CPU seconds are those of one run:

    python benchmarks/dedup_stage.py FOLDER OUTPUT [--cores 2] [--heap 1g]

FOLDER holds Parquet as `texts.write_parquet` writes it; it takes the place of the clean stage's
tables. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import threading
import time
from pathlib import Path

from jobs.pipeline.stage import StageContext
from jobs.spark.java import find_java
from jobs.spark.session import build_session
from jobs.stages.dedup import STAGE
from refinery.publish.records import StageRecord
from refinery.publish.store import Store, summarise_table
from refinery.recipe import RefineSettings
from schemas.settings import parse_settings

SAMPLE_SECONDS = 0.2


class Watch:
    """Samples the proportional set size of Python workers and the resident size of the JVM.

    Workers are forked from one daemon and share its pages: the proportional size counts these once.
    """

    def __init__(self) -> None:
        self.worker_mb = self.worker_resident_mb = self.jvm_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            for pid, _, command in descendants(os.getpid()):
                sizes = memory_kb(pid)
                if "pyspark" in command and "daemon" in command:
                    self.worker_mb = max(self.worker_mb, sizes.get("Pss", 0) / 1024)
                    self.worker_resident_mb = max(
                        self.worker_resident_mb, sizes.get("Rss", 0) / 1024
                    )
                elif "java" in command.split(" ", 1)[0]:
                    self.jvm_mb = max(self.jvm_mb, sizes.get("Rss", 0) / 1024)


def descendants(root: int) -> list[tuple[int, int, str]]:
    """(process id, its parent's, command line) of all children and their children."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:  # it has ended
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = []
    for pid in parents:
        above = pid
        while above in parents and above != root:
            above = parents[above]
        if above == root and pid != root:
            try:
                raw = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            found.append((pid, parents[pid], raw.replace(b"\0", b" ").decode(errors="replace")))
    return found


def memory_kb(pid: int) -> dict[str, int]:
    """Rss and Pss of a process in kB; empty where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":") for line in lines[1:])
    return {name: int(value.split()[0]) for name, value in pairs if name in ("Rss", "Pss")}


def cpu_seconds(root: int) -> float:
    """CPU seconds of all living descendants and of what they have waited for."""
    ticks = 0
    for pid, _, _ in descendants(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(fields[i]) for i in (11, 12, 13, 14))
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    times = own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime
    return ticks / os.sysconf("SC_CLK_TCK") + times


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
    parser = argparse.ArgumentParser(description=__doc__)
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
    with Watch() as watch:
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
                "worker_peak_mb": round(watch.worker_mb),
                "worker_resident_peak_mb": round(watch.worker_resident_mb),
                "jvm_peak_mb": round(watch.jvm_mb),
                "heap": args.heap,
                "counts": context.counts,
                "duplicates": context.attempt_uri,
            }
        )
    )
    session.stop()


if __name__ == "__main__":
    main()
