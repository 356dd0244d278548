"""Recall of candidate edges against the S-curve, by bins of true Jaccard similarity.

Pairs of real passages, English and Chinese: a passage and a copy in which some tokens are those of
another passage. Their similarity is measured on the same shingles as the signatures'. Buckets are
uncapped: a pair is a candidate if one band is equal.

    python benchmarks/dedup_recall.py books-en.jsonl.gz history-zh.jsonl.gz

One JSON line: per language and bin the pairs, the share found, the mean of the S-curve over the
pairs' own similarities, and the difference.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from dedup_signatures import read_pieces

from refinery.dedup.config import DedupConfig
from refinery.dedup.lsh import SCurve, band_hashes, shingle_sets, signature
from refinery.dedup.similarity import compare
from refinery.text_batch import Hashes, TextBatch

TOKENS, BATCH = 220, 500
LOWEST, WIDTH = 0.3, 0.05


def passages(path: Path, max_bytes: int) -> list[list[str]]:
    """Runs of TOKENS tokens of the file's texts."""
    found = []
    for piece in read_pieces(path, max_bytes):
        batch = TextBatch.of([piece])
        spans = zip(batch.token_starts.tolist(), batch.token_ends.tolist(), strict=True)
        tokens = [piece[a:b] for a, b in spans]
        found += [tokens[i : i + TOKENS] for i in range(0, len(tokens) - TOKENS + 1, TOKENS)]
    return found


def pairs(
    runs: list[list[str]], blank: str, generator: np.random.Generator
) -> Iterator[tuple[Hashes, Hashes]]:
    """Shingle sets of a passage and of its changed copy, without end."""
    config = DedupConfig()
    while True:
        texts = []
        for _ in range(BATCH):
            one, other = (runs[i] for i in generator.integers(0, len(runs), 2))
            wanted = generator.uniform(LOWEST - 0.05, 1.0)
            # One changed token takes `shingle_tokens` shingles from both sides.
            changes = TOKENS * (1 - wanted) / (config.shingle_tokens * (1 + wanted))
            copy = list(one)
            for place in generator.choice(TOKENS, int(changes + generator.random()), replace=False):
                copy[place] = other[place]
            texts += [blank.join(one), blank.join(copy)]
        sets = shingle_sets(TextBatch.of(texts), config.shingle_tokens)
        yield from zip(sets[::2], sets[1::2], strict=True)


def measure(path: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    config = DedupConfig()
    curve = SCurve(config.num_bands, config.rows_per_band, config.threshold)
    num_bins = round((1 - LOWEST) / WIDTH)
    counts, found = np.zeros(num_bins, int), np.zeros(num_bins, int)
    expected = np.zeros(num_bins)
    blank = "" if "-zh" in path.name else " "
    source = pairs(passages(path, args.max_bytes), blank, np.random.default_rng(args.seed))
    num = config.num_bands * config.rows_per_band
    while counts.min() < args.pairs:
        one, other = next(source)
        jaccard = compare(one, other).jaccard
        place = int((jaccard - LOWEST) / WIDTH + 1e-9)
        if jaccard < LOWEST or jaccard >= 1 or counts[place] >= args.pairs:
            continue
        bands = [band_hashes(signature(s, num, config.seed), config) for s in (one, other)]
        counts[place] += 1
        found[place] += bool((bands[0] == bands[1]).any())
        expected[place] += curve.at(jaccard)
    return [
        {
            "jaccard": [round(LOWEST + i * WIDTH, 2), round(LOWEST + (i + 1) * WIDTH, 2)],
            "pairs": int(counts[i]),
            "found": round(found[i] / counts[i], 5),
            "s_curve": round(expected[i] / counts[i], 5),
            "difference": round((found[i] - expected[i]) / counts[i], 5),
        }
        for i in range(num_bins)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--pairs", type=int, default=10_000, help="pairs a bin")
    parser.add_argument("--max-bytes", type=int, default=6_000_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    started = time.process_time()
    bins = {path.name: measure(path, args) for path in args.files}
    worst = max(abs(b["difference"]) for rows in bins.values() for b in rows)
    result = {"benchmark": "dedup_recall", "worst_difference": worst, "bins": bins}
    print(json.dumps({**result, "cpu_seconds": round(time.process_time() - started, 1)}))


if __name__ == "__main__":
    main()
