"""The whole of dedup against datatrove's four MinHash stages: same documents, same cores, same run.

English documents of `benchmarks.corpora.texts` as Parquet. Ours runs the dedup stage (exact, signatures, candidates,
verification, greedy removal) and then writes the documents that stay, as datatrove's last stage
does; starting Spark counts. Each side is a process of its own; they run one after the other. The
peer has a virtual environment of its own:

    python -m venv PEER && PEER/bin/pip install 'datatrove[io,processing]==0.10.1' spacy xxhash
    python -m benchmarks.races.dedup FOLDER PEER/bin/python [--mb 205] [--cores 2]

The result: seconds and CPU seconds of both, the ratio, documents kept by both.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.corpora.texts import write_parquet
from benchmarks.record import argument_parser, record


def run(command: list[str]) -> tuple[dict[str, Any], float]:
    """The last line that a process prints, as JSON, and its wall seconds."""
    started = time.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer, round(time.monotonic() - started, 1)


def ids(folder: Path, column: str) -> set[str]:
    """Document ids of the Parquet files below a folder."""
    files = sorted(folder.rglob("*.parquet"))
    return {i for f in files for i in pq.read_table(f, columns=[column])[column].to_pylist()}


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("folder", type=Path, help="scratch; the corpus stays there")
    parser.add_argument("peer", help="Python of the virtual environment that holds datatrove")
    parser.add_argument("--mb", type=int, default=205)
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    corpus = args.folder / f"corpus-{args.mb}"
    if not corpus.exists():
        write_parquet(corpus, seed=2, num_bytes={"en": args.mb * 1_000_000}, blocks=4)
    mine, theirs = args.folder / "ours", args.folder / "datatrove"
    for output in (mine, theirs):
        shutil.rmtree(output, ignore_errors=True)
    cores = str(args.cores)
    script = [sys.executable, "-m", "benchmarks.refinery.dedup_stage", str(corpus), str(mine)]
    ours, our_seconds = run([*script, "--cores", cores, "--write-kept"])
    script = [args.peer, "-m", "benchmarks.races.dedup_datatrove", str(corpus), str(theirs)]
    peer, peer_seconds = run([*script, "--workers", cores])
    kept, peer_kept = ids(mine / "kept", "doc_id"), ids(theirs / "kept", "id")
    record(
        "race_dedup",
        {
            "text_mb": args.mb,
            "cores": args.cores,
            "ours": {"seconds": our_seconds, **ours, "kept": len(kept)},
            "datatrove": {"seconds": peer_seconds, **peer, "kept": len(peer_kept)},
            "kept_by_both": len(kept & peer_kept),
            "times_faster": round(peer_seconds / our_seconds, 1),
            "times_less_cpu": round(peer["cpu_seconds"] / ours["cpu_seconds"], 1),
        },
    )


if __name__ == "__main__":
    main()
