"""Near-duplicates as they come: one manual for four machines, page by page, against brute force.

Debian's installation guide, English and Chinese. FOLDER holds the unpacked packages:

    apt-get download installation-guide-amd64 installation-guide-arm64 \\
        installation-guide-i386 installation-guide-s390x
    for f in *.deb; do dpkg-deb -x $f FOLDER/${f%%_*}; done
    python benchmarks/dedup_guides.py FOLDER

The pairs of brute force at J >= 0.8 are all pairs of pages, exact arithmetic on Python sets. With 28
bands of 4 rows the stage's functions must find exactly these; with 14 of 8 a number inside the 99 %
interval that the S-curve gives for them. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
from resiliparse.extract.html2text import extract_plain_text

from refinery.dedup.config import DedupConfig
from refinery.dedup.greedy import greedy_removals
from refinery.dedup.lsh import SCurve, band_hashes, shingle_sets, signature
from refinery.dedup.similarity import compare
from refinery.text.batch import TextBatch

THRESHOLD, DRAWS = 0.8, 200_000
Pair = tuple[str, str]


def read_pages(folder: Path, lang: str) -> dict[str, str]:
    """Texts by "architecture/page"."""
    pages = {}
    for path in sorted(folder.glob(f"*/usr/share/doc/installation-guide-*/{lang}/*.html")):
        text = extract_plain_text(path.read_text("utf-8", "replace"), main_content=False)
        architecture = path.parts[-3].removeprefix("installation-guide-")
        pages[f"{architecture}/{path.name}"] = text
    return pages


def brute_force(pages: dict[str, str], shingle_tokens: int) -> dict[Pair, float]:
    """Jaccard of the pairs at or above the threshold, from tuples of tokens in Python sets.

    Texts are expected to differ: equal ones leave as exact copies before.
    """
    sets = {}
    for name, text in pages.items():
        batch = TextBatch.of([text])
        bounds = zip(batch.token_starts.tolist(), batch.token_ends.tolist(), strict=True)
        tokens = ["".join(map(chr, batch.folded[a:b])) for a, b in bounds]
        count = max(1, len(tokens) - shingle_tokens + 1)
        sets[name] = frozenset(tuple(tokens[i : i + shingle_tokens]) for i in range(count))
    found = {}
    for a, b in itertools.combinations(pages, 2):
        one, other = sets[a], sets[b]
        if min(len(one), len(other)) < THRESHOLD * max(len(one), len(other)):
            continue
        shared = len(one & other)
        jaccard = shared / (len(one) + len(other) - shared)
        if jaccard >= THRESHOLD:
            found[a, b] = jaccard
    return found


def candidates(pages: dict[str, str], config: DedupConfig) -> dict[Pair, float]:
    """Verified pairs that share a band."""
    sets = shingle_sets(TextBatch.of(list(pages.values())), config.shingle_tokens)
    num = config.num_bands * config.rows_per_band
    bands = band_hashes(np.stack([signature(s, num, config.seed) for s in sets]), config)
    names, found = list(pages), {}
    for column in range(config.num_bands):
        buckets: dict[int, list[int]] = {}
        for page, key in enumerate(bands[:, column].tolist()):
            buckets.setdefault(key, []).append(page)
        for members in buckets.values():
            for i, j in itertools.combinations(members, 2):
                pair = names[i], names[j]
                if pair not in found:
                    jaccard = compare(sets[i], sets[j]).jaccard
                    if jaccard >= THRESHOLD:
                        found[pair] = jaccard
    return found


def interval(jaccards: list[float], curve: SCurve) -> tuple[int, int]:
    """Counts that the S-curve gives with probability 0.99, each pair drawn for itself."""
    generator = np.random.default_rng(1)
    counts = np.zeros(DRAWS, int)
    for jaccard in jaccards:
        counts += generator.random(DRAWS) < curve.at(jaccard)
    low, high = np.quantile(counts, [0.005, 0.995], method="inverted_cdf")
    return int(low), int(high)


def measure(pages: dict[str, str]) -> dict[str, Any]:
    """Brute force against both choices of bands, and what is removed."""
    texts = {name: text for name, text in pages.items() if text.strip()}
    distinct = {text: name for name, text in reversed(texts.items())}
    unlike = {name: text for text, name in sorted(distinct.items(), key=lambda item: item[1])}
    certain = DedupConfig(num_bands=28, rows_per_band=4)
    usual = DedupConfig()
    expected = brute_force(unlike, certain.shingle_tokens)
    found = {c.num_bands: candidates(unlike, c) for c in (certain, usual)}
    curve = SCurve(usual.num_bands, usual.rows_per_band, usual.threshold)
    order = sorted(unlike, key=lambda name: (-len(unlike[name]), name))
    low, high = interval(list(expected.values()), curve)
    return {
        "pages": len(pages),
        "texts_that_differ": len(unlike),
        "brute_force_pairs": len(expected),
        "pairs_28x4": len(found[28]),
        "equal_28x4": found[28].keys() == expected.keys(),
        "removed_equal_28x4": greedy_removals(order, found[28]) == greedy_removals(order, expected),
        "pairs_14x8": len(found[14]),
        "nothing_below_14x8": found[14].keys() <= expected.keys(),
        "interval_99_14x8": [low, high],
        "inside": low <= len(found[14]) <= high,
        "expected_14x8": round(sum(curve.at(j) for j in expected.values()), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    results = {lang: measure(read_pages(args.folder, lang)) for lang in ("en", "zh_CN")}
    print(json.dumps({"benchmark": "dedup_guides", **results}))


if __name__ == "__main__":
    main()
