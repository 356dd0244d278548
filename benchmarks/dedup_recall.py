"""Recall of candidate edges against the S-curve, by bins of true Jaccard similarity.

Pairs of shingle sets with a drawn similarity; uncapped buckets: a pair is a candidate if one band
is equal. One JSON line: per bin the pairs, the share found, the mean of the S-curve over the pairs'
own similarities, and the difference.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from refinery.dedup.config import DedupConfig
from refinery.dedup.lsh import SCurve, band_hashes, signature

SET_SIZE = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10_000, help="pairs a bin")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    config = DedupConfig()
    curve = SCurve(config.num_bands, config.rows_per_band, config.threshold)
    generator = np.random.default_rng(args.seed)
    bins = []
    for low in np.arange(30, 100, 5) / 100:
        found, expected = 0, 0.0
        for _ in range(args.pairs):
            wanted = generator.uniform(low, low + 0.05)
            shared = round(2 * SET_SIZE * wanted / (1 + wanted))
            pool = generator.integers(0, 2**64, 2 * SET_SIZE - shared, dtype=np.uint64)
            sides = pool[:SET_SIZE], np.concatenate((pool[:shared], pool[SET_SIZE:]))
            num = config.num_bands * config.rows_per_band
            one, other = (band_hashes(signature(s, num, config.seed), config) for s in sides)
            found += bool((one == other).any())
            expected += curve.at(shared / (2 * SET_SIZE - shared))
        bins.append(
            {
                "jaccard": [round(float(low), 2), round(float(low) + 0.05, 2)],
                "pairs": args.pairs,
                "found": round(found / args.pairs, 5),
                "s_curve": round(expected / args.pairs, 5),
                "difference": round((found - expected) / args.pairs, 5),
            }
        )
    worst = max(abs(b["difference"]) for b in bins)
    print(json.dumps({"benchmark": "dedup_recall", "worst_difference": worst, "bins": bins}))


if __name__ == "__main__":
    main()
