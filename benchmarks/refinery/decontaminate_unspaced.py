"""Do stock phrases of technical texts without blanks between words look like benchmark items?

    python -m benchmarks.refinery.decontaminate_unspaced BENCHMARKS TEXTS --manuals MANUALS

- False positives: Chinese technical documentation as whole documents (TEXTS/docs-zh.jsonl.gz, and the manuals
  of Debian packages below MANUALS: see `benchmarks/corpora/manuals.py`) against every benchmark below BENCHMARKS.
  Each passage that is still found is in the result, to be read; `before` counts the hits without the second look.
- Recall and false positives in Japanese, Korean, Khmer (which, as Thai, has no blanks between words): lines of the
  language's manuals are the items, and are planted into manuals that do not hold them, as the stage does it
  on every run. Manuals that hold no item have no true hit. Recall stands with its 95 % interval (Wilson).

Documents and items are a sample by hash, so that a run takes minutes: `--documents`, `--pages`, `--items`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from benchmarks.corpora.manuals import manual_pages
from benchmarks.corpora.published_benchmarks import published
from benchmarks.corpora.text_files import read_texts
from benchmarks.record import argument_parser, record
from refinery.decontaminate import second_look
from refinery.decontaminate.benchmarks import Item, read_items
from refinery.decontaminate.config import BenchmarkConfig, DecontaminateConfig
from refinery.decontaminate.index import BenchmarkIndex, Match
from refinery.decontaminate.measure import Search, measure
from refinery.text.utf8 import Texts
from schemas.fingerprints import sha256_hex

BATCH = 200
SHOWN_CHARS = 80
LANGUAGES = ("ja", "ko", "km")


def scan(index: BenchmarkIndex, texts: Sequence[str]) -> list[tuple[int, Match]]:
    return [
        (start + match.text, match)
        for start in range(0, len(texts), BATCH)
        for match in index.scan(Texts.of(texts[start : start + BATCH]))
    ]


def false_positives(index: BenchmarkIndex, texts: Sequence[str]) -> dict[str, object]:
    """Documents with a hit, with and without the second look, and what was found."""
    found = scan(index, texts)
    with mock.patch.object(second_look, "MIN_HELD", 0.0):
        before = {doc for doc, _ in scan(index, texts)}
    passages = {
        (doc, match.item): texts[doc][match.start : match.end][:SHOWN_CHARS] for doc, match in found
    }
    return {
        "documents": len(texts),
        "characters": sum(map(len, texts)),
        "hit_before": len(before),
        "hit": len({doc for doc, _ in found}),
        "found": [
            {"item": "/".join(index.names[item]), "passage": passage}
            for (_, item), passage in sorted(passages.items())
        ],
    }


def with_interval(found: int, planted: int) -> dict[str, object]:
    """A share with its 95 % interval by Wilson's score."""
    if not planted:
        return {"found": 0, "planted": 0}
    z, share = 1.96, found / planted
    middle = share + z * z / (2 * planted)
    half = z * math.sqrt(share * (1 - share) / planted + z * z / (4 * planted**2))
    whole = 1 + z * z / planted
    low, high = (middle - half) / whole, (middle + half) / whole
    return {
        "found": found, "planted": planted, "recall": round(share, 4),
        "interval_95": [round(low, 4), round(min(1.0, high), 4)],
    }  # fmt: skip


def by_language(pages: Sequence[str], most_items: int) -> dict[str, object]:
    """Lines of every second page as items, planted into the other pages."""
    lines = dict.fromkeys(line.strip() for page in pages[::2] for line in page.split("\n"))
    items = [Item("lines", str(n), line) for n, line in enumerate(lines) if len(line) >= 30]
    items = sorted(items, key=lambda item: sha256_hex(item.text.encode()))[:most_items]
    config = DecontaminateConfig(
        benchmarks=(BenchmarkConfig(name="lines", path="-", fields=("text",)),)
    )
    index = BenchmarkIndex.build(items, config)
    whole = {item.text for item in items}
    clean = [page for page in pages[1::2] if not any(text in page for text in whole)]
    hit = {doc for doc, _ in scan(index, clean)}
    hosts = [page for doc, page in enumerate(clean) if doc not in hit]
    measured = measure(Search(index), items, hosts, most=most_items, seed=1)
    with mock.patch.object(second_look, "MIN_HELD", 0.0):
        before = {doc for doc, _ in scan(index, clean)}
    return {
        "items": len(items),
        "ngram_tokens": index.ngram_tokens["lines"],
        "clean_documents": len(clean),
        "hit_before": len(before),
        "hit": len(hit),
        "recall": {
            group: {name: with_interval(one.found, one.planted) for name, one in counts.items()}
            for group, counts in measured.groups.items()
        },
        "false_positives_of_shuffled_items": measured.false_positives,
    }


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("benchmarks", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--manuals", type=Path, help="root of Debian packages")
    parser.add_argument("--documents", type=int, default=600, help="Chinese documents")
    parser.add_argument("--pages", type=int, default=240, help="manual pages of each language")
    parser.add_argument("--items", type=int, default=80, help="lines that are planted")
    args = parser.parse_args()
    configs = published(args.benchmarks)
    items = [item for config in configs for item in read_items(config)]
    index = BenchmarkIndex.build(items, DecontaminateConfig(benchmarks=configs))
    texts = sorted(
        read_texts(args.texts / "docs-zh.jsonl.gz"), key=lambda t: sha256_hex(t.encode())
    )
    result: dict[str, object] = {
        "min_held": second_look.MIN_HELD,
        "benchmarks": len(configs),
        "benchmark_items": len(items),
        "documentation": false_positives(index, texts[: args.documents]),
    }
    if args.manuals is not None:
        pages = manual_pages(args.manuals, "zh", args.documents).values()
        result["manuals"] = false_positives(index, list(pages))
        for language in LANGUAGES:
            pages = manual_pages(args.manuals, language, args.pages).values()
            result[language] = by_language(list(pages), args.items)
    record("decontaminate_unspaced", result)


if __name__ == "__main__":
    main()
