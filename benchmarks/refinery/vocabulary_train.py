"""Train 50,000 tokens of each kind on 1.2 million lines: seconds, peak memory, and twice the text.

python -m benchmarks.refinery.vocabulary_train DATA_FOLDER [--only KIND,...] [--times 1,2] [--work FOLDER]

The corpus is made from the Chinese documents and English books of DATA_FOLDER/text: lines of 3 to 9
clauses drawn at random (seeded), every third clause spliced from the halves of two, so that, as in real
text, most clauses are distinct. Seconds are wall clock; memory is the proportional set size of the
whole process tree (JVM, Python workers, trainer). One case for each kind and size.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import get_args

from benchmarks.corpora.text_files import read_texts
from benchmarks.process_memory import tree_bytes
from benchmarks.record import argument_parser, record
from refinery.vocabulary.config import TrainKind
from refinery.vocabulary.train.counted_clauses import cut_clauses

LINES = 1_200_000
BYTES = 150_000_000


def make_corpus(data: Path, path: Path, times: int) -> None:
    clauses: list[str] = []
    for name, share in (("docs-zh", 1.0), ("history-zh", 1.0), ("books-en", 0.3)):
        texts = list(read_texts(data / f"text/{name}.jsonl.gz"))
        for text in texts[: max(1, int(len(texts) * share))]:
            clauses += cut_clauses(text)
    chance = random.Random(7)
    with path.open("w", encoding="utf-8") as out:
        for _ in range(LINES * times):
            parts: list[str] = []
            length = 0
            while length < BYTES / LINES:
                clause = chance.choice(clauses)
                if len(parts) % 3 == 2:
                    other = chance.choice(clauses)
                    clause = clause[: len(clause) // 2] + other[len(other) // 2 :]
                parts.append(clause)
                length += len(clause.encode())
            out.write("".join(parts) + "\n")


def train(corpus: Path, kind: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            *(sys.executable, "-m", "jobs.command.main", "vocabulary", "train", str(corpus)),
            *("--out", f"{scratch}/out", "--kind", kind, "--size", "50000"),
        ]
        began = time.perf_counter()
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": "."})
        peak = 0
        while process.poll() is None:
            peak = max(peak, tree_bytes(process.pid))
            time.sleep(0.5)
        seconds = time.perf_counter() - began
    return {"seconds": round(seconds, 1), "peak_bytes": peak, "exit": process.returncode}


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default=",".join(get_args(TrainKind)))
    parser.add_argument("--times", default="1,2")
    parser.add_argument("--work", type=Path, help="where the corpora stay for the next run")
    args = parser.parse_args()
    for times in map(int, args.times.split(",")):
        with tempfile.TemporaryDirectory() as scratch:
            corpus = (args.work or Path(scratch)) / f"corpus-{times}.txt"
            corpus.parent.mkdir(parents=True, exist_ok=True)
            if not corpus.is_file():
                make_corpus(args.data, corpus, times)
            size = corpus.stat().st_size
            for kind in args.only.split(","):
                row = {"lines": LINES * times, "bytes": size, **train(corpus, kind)}
                record("vocabulary_train", row, case=f"{kind} x{times}")


if __name__ == "__main__":
    main()
