"""Size of the incremental index against the text it stands for, English and Chinese.

    python -m benchmarks.refinery.dedup_index FOLDER books-en.jsonl.gz history-zh.jsonl.gz

Runs the dedup stage with `keep_index` over pieces of 4,000 characters and records
bytes of the published `signatures` table per byte of UTF-8 text, and the part of the sets alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.corpora.text_files import read_pieces
from benchmarks.record import argument_parser, record
from benchmarks.refinery.dedup_stage import prepare
from jobs.pipeline.stage import StageContext
from jobs.spark.java import find_java
from jobs.spark.session import build_session
from jobs.stages.dedup import STAGE
from refinery.publish.store import Store, summarise_table
from refinery.recipe import RefineSettings
from schemas.settings import parse_settings


def write(folder: Path, pieces: list[str]) -> None:
    ids = [hashlib.sha256(f"{i}".encode()).hexdigest()[:32] for i in range(len(pieces))]
    folder.mkdir(parents=True)
    sizes = pa.array([len(p) for p in pieces], pa.int32())
    columns = {"doc_id": ids, "source": ["web"] * len(pieces), "text": pieces, "num_chars": sizes}
    pq.write_table(pa.table(columns), folder / "part.parquet", row_group_size=1_000)


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--max-bytes", type=int, default=6_000_000)
    args = parser.parse_args()
    os.environ["JAVA_HOME"] = str(find_java().home)
    os.environ["PYSPARK_SUBMIT_ARGS"] = "--master local[2] --driver-memory 1g pyspark-shell"
    plain: dict[str, Any] = {
        "recipe": {
            "name": "bench",
            "sources": [{"name": "web", "uri": "none", "format": "text"}],
            "dedup": {"keep_index": True, "index_buckets": 4},
        },
        "runtime": {"output": "unused", "partitions": 4},
    }
    settings = parse_settings(RefineSettings, plain, where="benchmark")
    spark = build_session("bench", settings.runtime)
    results = {}
    for path in args.files:
        folder = args.folder / path.name
        shutil.rmtree(folder, ignore_errors=True)
        pieces = read_pieces(path, args.max_bytes)
        write(folder / "corpus", pieces)
        store = Store(str(folder / "tables"))
        context = StageContext(
            recipe=settings.recipe,
            runtime=settings.runtime,
            store=store,
            records={"clean": prepare(folder / "corpus", store, "generated")},
            attempt_uri=store.new_attempt("dedup"),
            fingerprint="1" * 64,
            spark=spark,
        )
        STAGE.run(context)
        text_bytes = sum(len(piece.encode()) for piece in pieces)
        table = summarise_table(f"{context.attempt_uri}/table=signatures")
        shingles = sum(
            row.num_shingles
            for row in context.read_back("signatures").where("fate = 'kept'").collect()
        )
        results[path.name] = {
            "text_mb": round(text_bytes / 1e6, 2),
            "documents": table.rows,
            "index_per_text": round(table.bytes / text_bytes, 3),
            "sets_per_text": round(4 * shingles / text_bytes, 3),
        }
    record("dedup_index", {**results})


if __name__ == "__main__":
    main()
