"""Speed of the decontamination scan: MB of UTF-8 text per second of CPU time, one thread.

Against all benchmarks of a folder, and against random n-grams of a given number: from the bytes of texts to
matches, and the hashes of tokens alone, which are a part of it. Indexes are written to a file and mapped, as in a
stage: `index_mb` is that file.

    python -m benchmarks.refinery.decontaminate_scan TEXTS.jsonl.gz ... --benchmarks FOLDER
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.corpora.published_benchmarks import published
from benchmarks.corpora.text_files import read_pieces
from benchmarks.record import argument_parser, record
from refinery.decontaminate.benchmarks import Item, read_items
from refinery.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from refinery.decontaminate.index import BenchmarkIndex
from refinery.decontaminate.index_file import open_index, write_index
from refinery.text.batch import TokenHashes
from refinery.text.utf8 import GROUP_BYTES, Texts

ITEM_WORDS = 112


def random_index(num_ngrams: int) -> BenchmarkIndex:
    """Items of random words, 100 n-grams in each."""
    generator = np.random.default_rng(0)
    num_items = max(1, num_ngrams // (ITEM_WORDS - 12))
    words = np.array([f"q{i:04x}" for i in range(65536)])
    items = [
        Item("random", str(i), " ".join(words[generator.integers(0, 65536, ITEM_WORDS)]))
        for i in range(num_items)
    ]
    benchmark = BenchmarkConfig(name="random", path="none", fields=("q",))
    return BenchmarkIndex.build(items, DecontaminateConfig(benchmarks=(benchmark,)))


def published_index(folder: Path) -> BenchmarkIndex:
    """All items of the folder's benchmarks."""
    configs = published(folder)
    items = [item for config in configs for item in read_items(config)]
    return BenchmarkIndex.build(items, DecontaminateConfig(benchmarks=configs))


def measure(index: BenchmarkIndex, pieces: list[str]) -> dict[str, float]:
    """Best of five, both taking turns."""
    whole = Texts.of(pieces)
    parts = [whole.part(group) for group in whole.groups(GROUP_BYTES)]
    mb = len(whole.data_B) / 1e6
    best = [float("inf"), float("inf")]
    matches = 0
    for _ in range(5):
        spent = [0.0, 0.0]
        matches = 0
        for texts in parts:
            t0 = time.process_time()
            TokenHashes.of(texts)
            t1 = time.process_time()
            matches += len(index.scan(texts))
            spent = [spent[0] + t1 - t0, spent[1] + time.process_time() - t1]
        best = [min(best[0], spent[0]), min(best[1], spent[1])]
    return {
        "token_hashes": round(mb / best[0], 1),
        "scan": round(mb / best[1], 1),
        "matches": matches,
    }


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--benchmarks", type=Path, help="folder of published benchmarks")
    parser.add_argument("--ngrams", nargs="*", type=int, default=[10_000_000])
    parser.add_argument("--max-bytes", type=int, default=8_000_000)
    args = parser.parse_args()
    kinds = {f"{number} random": number for number in args.ngrams}
    if args.benchmarks:
        kinds = {"published": 0, **kinds}
    texts = {path.name: read_pieces(path, args.max_bytes) for path in args.files}
    TokenHashes.of(Texts.of(["the tables of code points are built once"]))
    results = []
    for kind, number in kinds.items():
        started = time.process_time()
        built = random_index(number) if number else published_index(args.benchmarks)
        seconds = time.process_time() - started
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "index"
            write_index(path, built)
            index, size = open_index(path), path.stat().st_size
            del built
            for name, pieces in texts.items():
                found = measure(index, pieces)
                ngrams = {"index": kind, "ngrams": index.num_ngrams, "index_mb": size // 1_000_000}
                results.append(
                    {"file": name, **ngrams, "build_seconds": round(seconds, 1), **found}
                )
            open_index.cache_clear()
    record("decontaminate_scan", {"mb_per_cpu_second": results})


if __name__ == "__main__":
    main()
