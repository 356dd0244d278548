"""HTML in, shards out: ours with everything on against the equivalent datatrove pipeline.

    python -m venv PEER && PEER/bin/pip install 'datatrove[io,processing]==0.10.1' spacy xxhash \
        faust-cchardet python-magic warcio 'trafilatura<2'
    python -m benchmarks.races.pipeline PAGES TOKENIZER_FOLDER SCRATCH PEER/bin/python

PAGES is a folder of WARC files as `benchmarks.corpora.pages` writes them. The same input, the same cores,
one after the other; starting Spark counts. Ours also trains a tokenizer no more than the peer does
(both take the folder's `tokenizer.json`), measures language, decontaminates nothing, verifies every
duplicate, packs rows and writes manifest and report. The result: wall seconds of both, the
ratio, seconds and CPU by stage, peak memory of Python workers.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.process_memory import WorkerMemory
from benchmarks.record import argument_parser, record
from jobs.spark.java import find_java
from refinery.report.write import run_records


def recipe(pages: Path, tokenizer: Path, output: Path) -> dict[str, Any]:
    """Everything that the peer does, and what it does not."""
    return {
        "recipe": {
            "name": "race",
            "sources": [{"name": "web", "uri": str(pages), "format": "warc"}],
            "vocabulary": {"tokenizer": str(tokenizer)},
            "packing": {"seq_len": 2048},
        },
        "runtime": {"output": str(output), "partitions": 8},
    }


def run_ours(args: argparse.Namespace) -> dict[str, Any]:
    output = args.scratch / "ours"
    shutil.rmtree(output, ignore_errors=True)
    path = args.scratch / "recipe.json"
    path.write_text(json.dumps(recipe(args.pages, args.tokenizer, output)))
    memory = WorkerMemory(os.getpid())
    memory.start()
    started = time.monotonic()
    environment = {
        **os.environ, "JAVA_HOME": str(find_java().home), "REFINERY_MASTER": f"local[{args.cores}]",
    }  # fmt: skip
    subprocess.run(
        [sys.executable, "-m", "jobs.launch", "--recipe", str(path)], check=True, env=environment
    )
    seconds = time.monotonic() - started
    records = run_records(str(output))[1]
    stages = {
        name: {"seconds": record.seconds, **(record.cost.model_dump() if record.cost else {})}
        for name, record in records.items()
    }
    fates = {k: v for k, v in records["tokenise"].counts.items() if isinstance(v, int)}
    return {
        "seconds": round(seconds, 1),
        "stages": stages,
        "documents": fates,
        "worker_peak_mb": memory.stop(),
    }


def run_peer(args: argparse.Namespace) -> dict[str, Any]:
    started = time.monotonic()
    done = subprocess.run(
        [args.peer, "-m", "benchmarks.races.pipeline_datatrove", str(args.pages),
         str(args.scratch / "datatrove"), str(args.tokenizer / "tokenizer.json"),
         "--workers", str(args.cores)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"seconds": round(time.monotonic() - started, 1), **answer}


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("pages", type=Path)
    parser.add_argument("tokenizer", type=Path, help="folder with tokenizer.json")
    parser.add_argument("scratch", type=Path)
    parser.add_argument("peer", nargs="?", help="Python with datatrove; left out: ours alone")
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    args.scratch.mkdir(parents=True, exist_ok=True)
    ours = run_ours(args)
    answer = {
        "archives_mb": round(sum(p.stat().st_size for p in args.pages.iterdir()) / 1e6),
        "cores": args.cores,
        "ours": ours,
    }
    if args.peer:
        peer = run_peer(args)
        answer |= {
            "datatrove": peer,
            "times_faster": round(peer["seconds"] / ours["seconds"], 2),
        }
    record("race_pipeline", answer, case=f"{answer['archives_mb']} MB of archives")


if __name__ == "__main__":
    main()
