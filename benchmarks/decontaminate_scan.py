"""Speed of the decontamination scan: MB of UTF-8 text per second of CPU time, one thread.

Against an index of random n-grams of a given size, beside texts that hold none of them. TextBatch,
which a stage needs anyway, is timed apart and in the sum. One JSON line.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from dedup_signatures import BATCH, read_pieces

from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from refinery.decontaminate.index import BenchmarkIndex
from refinery.text_batch import TextBatch

ITEM_WORDS = 112


def random_index(num_ngrams: int) -> BenchmarkIndex:
    generator = np.random.default_rng(0)
    num_items = max(1, num_ngrams // (ITEM_WORDS - 12))
    words = np.array([f"q{i:04x}" for i in range(65536)])
    items = [
        Item("random", str(i), " ".join(words[generator.integers(0, 65536, ITEM_WORDS)]))
        for i in range(num_items)
    ]
    benchmark = BenchmarkConfig(name="random", path="none", fields=("q",))
    return BenchmarkIndex.build(items, DecontaminateConfig(benchmarks=(benchmark,)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--ngrams", nargs="+", type=int, default=[1_000_000, 10_000_000])
    parser.add_argument("--max-bytes", type=int, default=4_000_000)
    args = parser.parse_args()
    results = []
    for num_ngrams in args.ngrams:
        index = random_index(num_ngrams)
        for path in args.files:
            pieces = read_pieces(path, args.max_bytes)
            mb = sum(len(p.encode()) for p in pieces) / 1e6
            TextBatch.of(pieces[:1])
            best = [float("inf"), float("inf")]
            for _ in range(3):
                t0 = time.process_time()
                batches = [
                    TextBatch.of(pieces[i : i + BATCH]) for i in range(0, len(pieces), BATCH)
                ]
                t1 = time.process_time()
                for batch in batches:
                    index.scan(batch)
                t2 = time.process_time()
                best = [min(best[0], t1 - t0), min(best[1], t2 - t1)]
            results.append(
                {
                    "file": path.name,
                    "ngrams": index.num_ngrams,
                    "scan": round(mb / best[1], 1),
                    "with_text_batch": round(mb / sum(best), 1),
                }
            )
    print(json.dumps({"benchmark": "decontaminate_scan", "mb_per_cpu_second": results}))


if __name__ == "__main__":
    main()
