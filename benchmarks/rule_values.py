"""Percentiles of every heuristic value over a corpus: where the bounds of a language come from.

    python benchmarks/rule_values.py CORPUS.jsonl.gz [--field text] [--piece-chars 2000]

Texts are cut into pieces, since books are longer than pages. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from refinery.filters.values import compute_values
from refinery.text.batch import TextBatch

PERCENTILES = (1, 5, 50, 95, 99)
BATCH = 500


def read_pieces(path: Path, field: str, piece_chars: int, most: int) -> list[str]:
    """Pieces of at least a fifth of the asked length, in the order of the file."""
    opener = gzip.open if path.suffix == ".gz" else open
    pieces: list[str] = []
    with opener(path, "rt", encoding="utf-8") as file:
        for line in file:
            text = json.loads(line)[field]
            cut = [text[i : i + piece_chars] for i in range(0, len(text), piece_chars)]
            pieces += [piece for piece in cut if len(piece) * 5 >= piece_chars]
            if len(pieces) >= most:
                break
    return pieces[:most]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--field", default="text")
    parser.add_argument("--piece-chars", type=int, default=2000)
    parser.add_argument("--most", type=int, default=4000)
    args = parser.parse_args()
    pieces = read_pieces(args.corpus, args.field, args.piece_chars, args.most)
    columns = defaultdict(list)
    started = time.process_time()
    for start in range(0, len(pieces), BATCH):
        for name, values in compute_values(TextBatch.of(pieces[start : start + BATCH])).items():
            columns[name].append(values)
    seconds = time.process_time() - started
    percentiles = {
        name: np.round(np.percentile(np.concatenate(parts), PERCENTILES), 4).tolist()
        for name, parts in columns.items()
    }
    megabytes = sum(len(piece.encode()) for piece in pieces) / 1e6
    line = {
        "benchmark": "rule_values",
        "corpus": args.corpus.name,
        "pieces": len(pieces),
        "megabytes_per_core_second": round(megabytes / seconds, 1),
        "percentiles": list(PERCENTILES),
        "values": percentiles,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
