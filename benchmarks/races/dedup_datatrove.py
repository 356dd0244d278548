"""datatrove's four MinHash stages over Parquet files, with its own virtual environment's Python.

    python -m venv PEER && PEER/bin/pip install 'datatrove[io,processing]==0.10.1' spacy xxhash
    PEER/bin/python -m benchmarks.races.dedup_datatrove FOLDER OUTPUT [--workers 2] [--language eng_Latn]

Settings of FineWeb (five words, 14 x 8 bands, 64 bits) with xxhash, the faster of its two hash
functions. Prints one JSON line: seconds by stage, CPU seconds of all processes, documents kept.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import time
from pathlib import Path
from typing import Any

from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter
from datatrove.utils.hashing import HashConfig


def stages(folder: str, out: Path, language: str, files: int) -> dict[str, tuple[list[Any], int]]:
    """Pipeline steps and tasks of each stage."""
    config = MinhashConfig(hash_config=HashConfig(hash_fc="xxhash", precision=64))
    reader = ParquetReader(folder, text_key="text", id_key="doc_id")
    sigs, buckets, remove = (str(out / name) for name in ("sigs", "buckets", "remove"))
    sign = MinhashDedupSignature(sigs, config=config, language=language)
    cluster = MinhashDedupCluster(buckets, remove, config=config)
    kept = MinhashDedupFilter(remove)
    return {
        "signatures": ([reader, sign], files),
        "buckets": ([MinhashDedupBuckets(sigs, buckets, config=config)], config.num_buckets),
        "cluster": ([cluster], 1),
        "filter": ([reader, kept, ParquetWriter(str(out / "kept"))], files),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--language", default="eng_Latn")
    args = parser.parse_args()
    shutil.rmtree(args.output, ignore_errors=True)
    files = len(list(args.folder.glob("*.parquet")))
    seconds = {}
    all_stages = stages(str(args.folder), args.output, args.language, files)
    for name, (steps, tasks) in all_stages.items():
        started = time.monotonic()
        LocalPipelineExecutor(
            pipeline=steps,
            tasks=tasks,
            workers=min(args.workers, tasks),
            logging_dir=str(args.output / "logs" / name),
            start_method="fork",  # children are waited for, so their CPU seconds are counted
        ).run()
        seconds[name] = round(time.monotonic() - started, 1)
    import pyarrow.parquet as pq

    kept = sum(pq.read_metadata(p).num_rows for p in (args.output / "kept").rglob("*.parquet"))
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(u.ru_utime + u.ru_stime for u in used)
    print(json.dumps({"stages": seconds, "cpu_seconds": round(cpu, 1), "kept": kept}))


if __name__ == "__main__":
    main()
