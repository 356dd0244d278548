"""Speed of shingles, signatures and bands: MB of UTF-8 text per second of CPU time, one thread.

Beside ours, on the same pre-hashed shingles: datasketch's update_batch and rensa's flat digests.
Texts are JSON lines with a `text`, cut into pieces of 4,000 characters. One JSON line.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import rensa
from datasketch import MinHash

from refinery.dedup.config import DedupConfig
from refinery.dedup.lsh import band_hashes, shingle_sets, signature
from refinery.text_batch import Hashes, TextBatch

PIECE_CHARS, BATCH = 4000, 250
NUM = 112


def read_pieces(path: Path, max_bytes: int) -> list[str]:
    pieces: list[str] = []
    size = 0
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)["text"]
            for start in range(0, len(text), PIECE_CHARS):
                pieces.append(text[start : start + PIECE_CHARS])
                size += len(pieces[-1].encode())
            if size >= max_bytes:
                break
    return pieces


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
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
    print(json.dumps({"benchmark": "dedup_signatures", "mb_per_cpu_second": results}))


if __name__ == "__main__":
    main()
