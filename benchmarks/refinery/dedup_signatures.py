"""Speed of shingles, signatures and bands: MB of UTF-8 text per second of CPU time, one thread.

Beside ours, on the same pre-hashed shingles: datasketch's update_batch and, where it is installed,
rensa's flat digests (`pip install rensa==0.5.0`).
Texts are JSON lines with a `text`, cut into pieces of 4,000 characters. Then how far each engine's
recall of candidates lies from the S-curve on pairs of small sets: slots that depend on each other
give a curve of their own.

    python -m benchmarks.refinery.dedup_signatures books-en.jsonl.gz history-zh.jsonl.gz
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray

from benchmarks.corpora.text_files import read_pieces
from benchmarks.record import argument_parser, record
from refinery.dedup.config import DedupConfig
from refinery.dedup.lsh import SCurve
from refinery.dedup.signatures import Halves, ShingleSets, hash_bands, sign_sets
from refinery.text.utf8 import GROUP_BYTES, Texts

NUM = 112


def seconds(run: Callable[[], object]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


def text_to_bands(batches: list[Texts], config: DedupConfig) -> None:
    for batch in batches:
        sets = ShingleSets.of(batch, config.shingle_tokens)
        hash_bands(sign_sets(sets, NUM, 1), config.num_bands)


def sign_all(batches: list[ShingleSets]) -> None:
    for sets in batches:
        sign_sets(sets, NUM, 1)


def sign_with_datasketch(batches: list[ShingleSets]) -> None:
    for sets in batches:
        for one in sets:
            MinHash(NUM, hashfunc=int).update_batch(one)


def sign_with_rensa(batches: list[ShingleSets]) -> None:
    for sets in batches:
        all_with_rensa(sets)


def recall_from_curve(
    sign: Callable[[ShingleSets], NDArray[np.uint32]], *, shingles: int, pairs: int
) -> float:
    """Largest difference from the S-curve of the share of pairs found, over four similarities."""
    config, generator = DedupConfig(), np.random.default_rng(1)
    curve, worst = SCurve(config.num_bands, config.rows_per_band, config.threshold), 0.0
    for wanted in (0.6, 0.7, 0.75, 0.8):
        shared = round(shingles * wanted)
        own = (shingles - shared) // 2
        sides: list[Halves] = []
        for _ in range(pairs):
            pool = generator.integers(0, 2**32, shared + 2 * own, dtype=np.uint32)
            sides += [pool[: shared + own], pool[:shared], pool[shared + own :]]
        bounds = np.arange(2 * pairs + 1) * (shared + own)
        slots = sign(ShingleSets.distinct(np.concatenate(sides), bounds))
        equal = (slots[::2] == slots[1::2]).reshape(pairs, config.num_bands, -1)
        found = float(equal.all(axis=2).any(axis=1).mean())
        worst = max(worst, abs(found - curve.at(shared / (shared + 2 * own))))
    return round(worst, 4)


def all_with_ours(sets: ShingleSets) -> NDArray[np.uint32]:
    return sign_sets(sets, NUM, 1)


def all_with_rensa(sets: ShingleSets) -> NDArray[np.uint32]:
    import rensa

    flat, bounds = sets.hashes.astype(np.uint64), sets.bounds.astype(np.uint64)
    digests = rensa.RMinHash.digest_matrix_from_flat_token_hashes(flat, bounds, NUM, 1)
    return np.array(digests.to_rows(), np.uint32)


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--max-bytes", type=int, default=4_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    config = DedupConfig()
    has_rensa = find_spec("rensa") is not None
    results = {}
    for path in args.files:
        pieces = read_pieces(path, args.max_bytes)
        mb = sum(len(p.encode()) for p in pieces) / 1e6
        texts = Texts.of(pieces)
        batches = [texts.part(group) for group in texts.groups(GROUP_BYTES)]
        text_to_bands(batches[:1], config)
        sets = [ShingleSets.of(batch, config.shingle_tokens) for batch in batches]

        runs: dict[str, Callable[[], object]] = {
            "text_to_bands": partial(text_to_bands, batches, config),
            "signature": partial(sign_all, sets),
            "signature_datasketch": partial(sign_with_datasketch, sets),
        }
        if has_rensa:
            runs["signature_rensa"] = partial(sign_with_rensa, sets)
        best = {name: min(seconds(run) for _ in range(args.repeats)) for name, run in runs.items()}
        results[path.name] = {name: round(mb / spent, 1) for name, spent in best.items()}
    engines = {"ours": all_with_ours, **({"rensa": all_with_rensa} if has_rensa else {})}
    differences = {
        name: recall_from_curve(sign, shingles=60, pairs=10_000) for name, sign in engines.items()
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
