"""Recall of candidate edges against the S-curve, by bins of true Jaccard similarity.

Pairs of real passages, English and Chinese: a passage and a copy in which some tokens are those of
another passage. Their similarity is measured on the same shingles as the signatures'. Buckets are
uncapped: a pair is a candidate if one band is equal.

    python -m benchmarks.refinery.dedup_recall books-en.jsonl.gz history-zh.jsonl.gz

The result: per language and bin the pairs, the share found, the mean of the S-curve over the
pairs' own similarities, and the difference.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpora.text_files import read_pieces
from benchmarks.record import argument_parser, record
from refinery.dedup.config import DedupConfig
from refinery.dedup.lsh import SCurve
from refinery.dedup.signatures import Halves, ShingleSets, hash_bands, shingle_hashes, sign_sets
from refinery.dedup.similarity import compare
from refinery.text.batch import Hashes, TextBatch, offsets_of

TOKENS, BATCH = 220, 500
LOWEST, WIDTH = 0.3, 0.05


def passages(path: Path, max_bytes: int) -> Hashes:
    """[passages, TOKENS] token hashes of the file's texts."""
    batch = TextBatch.of(read_pieces(path, max_bytes))
    starts = [
        start
        for first, last in itertools.pairwise(batch.token_bounds.tolist())
        for start in range(first, last - TOKENS + 1, TOKENS)
    ]
    return batch.token_hashes[np.array(starts)[:, None] + np.arange(TOKENS)]


def pairs(runs: Hashes, generator: np.random.Generator) -> Iterator[list[tuple[Halves, Halves]]]:
    """Batches of shingle sets of a passage and of its changed copy, without end."""
    shingle = DedupConfig().shingle_tokens
    while True:
        one, other = (runs[generator.integers(0, len(runs), BATCH)] for _ in range(2))
        wanted = generator.uniform(LOWEST - 0.05, 1.0, BATCH)
        # One changed token takes `shingle` shingles from both sides.
        changes = TOKENS * (1 - wanted) / (shingle * (1 + wanted)) + generator.random(BATCH)
        ranks = generator.random((BATCH, TOKENS)).argsort(axis=1)
        copies = np.where(ranks < changes.astype(int)[:, None], other, one)
        bounds = np.arange(BATCH + 1) * TOKENS
        sides = [
            ShingleSets.distinct(*shingle_hashes(side.reshape(-1), bounds, shingle))
            for side in (one, copies)
        ]
        yield list(zip(*sides, strict=True))


def measure(path: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    config = DedupConfig()
    curve = SCurve(config.num_bands, config.rows_per_band, config.threshold)
    num_bins = round((1 - LOWEST) / WIDTH)
    counts, found = np.zeros(num_bins, int), np.zeros(num_bins, int)
    expected = np.zeros(num_bins)
    source = pairs(passages(path, args.max_bytes), np.random.default_rng(args.seed))
    num = config.num_bands * config.rows_per_band
    while counts.min() < args.pairs:
        bin_indices: list[int] = []
        chosen: list[Halves] = []
        for one, other in next(source):
            jaccard = compare(one, other).jaccard
            bin_index = int((jaccard - LOWEST) / WIDTH + 1e-9)
            if jaccard < LOWEST or jaccard >= 1 or counts[bin_index] >= args.pairs:
                continue
            counts[bin_index] += 1
            expected[bin_index] += curve.at(jaccard)
            bin_indices.append(bin_index)
            chosen += [one, other]
        if bin_indices:
            sets = ShingleSets(np.concatenate(chosen), offsets_of([len(one) for one in chosen]))
            bands = hash_bands(sign_sets(sets, num, config.seed), config.num_bands)
            np.add.at(found, bin_indices, (bands[::2] == bands[1::2]).any(axis=1))
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
    parser = argument_parser(__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--pairs", type=int, default=10_000, help="pairs a bin")
    parser.add_argument("--max-bytes", type=int, default=6_000_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    started = time.process_time()
    bins = {path.name: measure(path, args) for path in args.files}
    worst = max(abs(b["difference"]) for rows in bins.values() for b in rows)
    result = {"worst_difference": worst, "bins": bins}
    record("dedup_recall", {**result, "cpu_seconds": round(time.process_time() - started, 1)})


if __name__ == "__main__":
    main()
