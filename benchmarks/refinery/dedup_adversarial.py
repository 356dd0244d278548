"""The dedup stage on texts that break deduplicators: bounded time, verified removals only.

One corpus of 26,004 documents: a chain of 2,000 each 90 % like the next; one boilerplate page in
20,000 variants that differ in a word; 4,000 equal texts; two empty ones; two of one word.

    python -m benchmarks.refinery.dedup_adversarial FOLDER [--cores 2]

Checks that no row is below the threshold, that each keeper is kept, and records
kept and removed by kind, the largest bucket and the seconds.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.record import argument_parser, record
from benchmarks.refinery.dedup_stage import prepare
from jobs.pipeline.stage import StageContext
from jobs.spark.java import find_java
from jobs.spark.session import build_session
from jobs.stages.dedup import STAGE
from refinery.dedup.facts import DedupFacts
from refinery.publish.store import Store
from refinery.recipe import RefineSettings
from schemas.settings import parse_settings

CHAIN, STEP, LENGTH = 2_000, 10, 194
BOILERPLATE, EQUAL = 20_000, 4_000


def texts() -> dict[str, list[str]]:
    """Texts by kind."""
    generator = np.random.default_rng(1)
    words = [f"w{i}" for i in generator.integers(0, 50_000, CHAIN * STEP + LENGTH)]
    page = [f"p{i}" for i in generator.integers(0, 50_000, 300)]
    return {
        # 190 shingles each, 180 shared with the next: J = 0.9; with the second next 0.81.
        "chain": [" ".join(words[i * STEP : i * STEP + LENGTH]) for i in range(CHAIN)],
        "boilerplate": [
            " ".join([*page[: i % 300], f"x{i}", *page[i % 300 + 1 :]]) for i in range(BOILERPLATE)
        ],
        "equal": [" ".join(page[::-1])] * EQUAL,
        "empty": ["", ""],
        "one_word": ["word", "other"],
    }


def write(folder: Path) -> dict[str, str]:
    """Write the corpus; kinds by id."""
    kinds, rows = {}, []
    for kind, found in texts().items():
        for number, text in enumerate(found):
            doc_id = hashlib.sha256(f"{kind}/{number}".encode()).hexdigest()[:32]
            kinds[doc_id] = kind
            rows.append({"doc_id": doc_id, "source": "web", "text": text, "num_chars": len(text)})
    schema = pa.schema([(n, pa.string()) for n in ("doc_id", "source", "text")])
    folder.mkdir(parents=True)
    table = pa.Table.from_pylist(rows, schema.append(pa.field("num_chars", pa.int32())))
    pq.write_table(table, folder / "part.parquet", row_group_size=5_000)
    return kinds


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    os.environ["JAVA_HOME"] = str(find_java().home)
    os.environ["PYSPARK_SUBMIT_ARGS"] = (
        f"--master local[{args.cores}] --driver-memory 1g pyspark-shell"
    )
    shutil.rmtree(args.folder, ignore_errors=True)
    kinds = write(args.folder / "corpus")
    plain: dict[str, Any] = {
        "recipe": {
            "name": "bench",
            "sources": [{"name": "web", "uri": "none", "format": "text"}],
        },
        "runtime": {"output": str(args.folder / "out"), "partitions": 8},
    }
    settings = parse_settings(RefineSettings, plain, where="benchmark")
    store = Store(str(args.folder / "tables"))
    context = StageContext(
        recipe=settings.recipe,
        runtime=settings.runtime,
        store=store,
        records={"clean": prepare(args.folder / "corpus", store, "generated")},
        attempt_uri=store.new_attempt("dedup"),
        fingerprint="1" * 64,
        spark=build_session("bench", settings.runtime),
    )
    started = time.monotonic()
    facts = STAGE.run(context)
    assert isinstance(facts, DedupFacts)
    seconds = time.monotonic() - started
    rows = pq.read_table(f"{context.attempt_uri}/table=duplicates").to_pylist()
    removed = {row["doc_id"] for row in rows}
    assert len(removed) == len(rows), "a document is removed twice"
    assert all(row["kept_id"] not in removed for row in rows), "a keeper is not kept"
    assert min(row["jaccard"] for row in rows) >= settings.recipe.dedup.threshold
    gone, whole = Counter(kinds[i] for i in removed), Counter(kinds.values())
    result = {
        "seconds": round(seconds, 1),
        "kept": {kind: whole[kind] - gone[kind] for kind in whole},
        "removed": dict(gone),
        "candidate_pairs": context.counts["candidate_pairs"],
        "capped_buckets": context.counts["capped_buckets"],
        "largest_bucket": facts.largest_buckets[0].size,
    }
    record("dedup_adversarial", result)


if __name__ == "__main__":
    main()
