"""Speed of shingles, signatures and bands: MB of UTF-8 text per second of CPU time, one thread.

Beside ours, on the same pre-hashed shingles: datasketch's update_batch and rensa's flat digests.
Texts are JSON lines with a `text`, cut into pieces of 4,000 characters. Then how far each engine's
recall of candidates lies from the S-curve on pairs of small sets: slots that depend on each other
give a curve of their own.

    python -m benchmarks.refinery.dedup_signatures books-en.jsonl.gz history-zh.jsonl.gz
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import rensa
from datasketch import MinHash
from numpy.typing import NDArray

from benchmarks.corpora.text_files import read_pieces
from benchmarks.record import argument_parser, record
from refinery.dedup.config import DedupConfig
from refinery.dedup.lsh import SCurve, band_hashes, shingle_sets, signature
from refinery.text.batch import Hashes, TextBatch

BATCH = 250
NUM = 112


def seconds(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


def text_to_bands(batches: list[list[str]], config: DedupConfig) -> None:
    for batch in batches:
        sets = shingle_sets(TextBatch.of(batch), config.shingle_tokens)
        band_hashes(np.stack([signature(s, NUM, 1) for s in sets]), config)


def sign_with_numpy(sets: list[Hashes]) -> None:
    for one in sets:
        signature(one, NUM, 1)


def sign_with_datasketch(sets: list[Hashes]) -> None:
    for one in sets:
        MinHash(NUM, hashfunc=int).update_batch(one >> np.uint64(32))


def recall_from_curve(
    sign: Callable[[list[Hashes]], NDArray[np.uint32]], *, shingles: int, pairs: int
) -> float:
    """Largest difference from the S-curve of the share of pairs found, over four similarities."""
    config, generator = DedupConfig(), np.random.default_rng(1)
    curve, worst = SCurve(config.num_bands, config.rows_per_band, config.threshold), 0.0
    for wanted in (0.6, 0.7, 0.75, 0.8):
        shared = round(shingles * wanted)
        own = (shingles - shared) // 2
        sets = []
        for _ in range(pairs):
            pool = generator.integers(0, 2**64, shared + 2 * own, dtype=np.uint64)
            sets += [pool[: shared + own], np.concatenate((pool[:shared], pool[shared + own :]))]
        slots = sign(sets)
        equal = (slots[::2] == slots[1::2]).reshape(pairs, config.num_bands, -1)
        found = float(equal.all(axis=2).any(axis=1).mean())
        worst = max(worst, abs(found - curve.at(shared / (shared + 2 * own))))
    return round(worst, 4)


def all_with_numpy(sets: list[Hashes]) -> NDArray[np.uint32]:
    return np.stack([signature(s, NUM, 1) for s in sets])


def all_with_rensa(sets: list[Hashes]) -> NDArray[np.uint32]:
    offsets = np.concatenate(([0], np.cumsum([len(s) for s in sets]))).astype(np.uint64)
    flat = np.concatenate(sets)
    digests = rensa.RMinHash.digest_matrix_from_flat_token_hashes(flat, offsets, NUM, 1)
    return np.array(digests.to_rows(), np.uint32)


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--max-bytes", type=int, default=4_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    config = DedupConfig()
    results = {}
    for path in args.files:
        pieces = read_pieces(path, args.max_bytes)
        mb = sum(len(p.encode()) for p in pieces) / 1e6
        batches = [pieces[i : i + BATCH] for i in range(0, len(pieces), BATCH)]
        shingle_sets(TextBatch.of(pieces[:1]), config.shingle_tokens)
        sets = [s for b in batches for s in shingle_sets(TextBatch.of(b), config.shingle_tokens)]
        flat = np.concatenate(sets)
        offsets = np.concatenate(([0], np.cumsum([len(s) for s in sets]))).astype(np.uint64)

        runs: dict[str, Callable[[], object]] = {
            "text_to_bands": partial(text_to_bands, batches, config),
            "signature_numpy": partial(sign_with_numpy, sets),
            "signature_datasketch": partial(sign_with_datasketch, sets),
            "signature_rensa": partial(
                rensa.RMinHash.digest_matrix_from_flat_token_hashes, flat, offsets, NUM, 1
            ),
        }
        best = {name: min(seconds(run) for _ in range(args.repeats)) for name, run in runs.items()}
        results[path.name] = {name: round(mb / spent, 1) for name, spent in best.items()}
    differences = {
        name: recall_from_curve(sign, shingles=60, pairs=10_000)
        for name, sign in (("numpy", all_with_numpy), ("rensa", all_with_rensa))
    }
    record(
        "dedup_signatures",
        {
            "mb_per_cpu_second": results,
            "recall_from_curve_at_60_shingles": differences,
            "standard_error": 0.005,
        },
    )


if __name__ == "__main__":
    main()
