"""Recall by mutation and language, and false positives on 400,000 clean documents or more.

    python -m benchmarks.refinery.decontaminate_measure BENCHMARKS TEXTS [--documents 400000]

Index: every benchmark below BENCHMARKS. Recall: `--planted` items of each group, planted into pieces of
the real texts (the stage measures the same way on every run). False positives are counted on

- real pieces: all `*.jsonl.gz` and `*.txt` below TEXTS, cut at line ends to about 600 characters. A
  piece that holds half of an item's words in one stretch holds the item (a quotation, or a passage
  that both took from one source); every other hit is false;
- written pieces, up to the number of documents: chains over the benchmarks' own words and word
  pairs (Chinese: characters), so every piece looks like an item and none is one; every hit is false.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.corpora.published_benchmarks import published
from benchmarks.corpora.text_files import read_texts
from benchmarks.record import argument_parser, record
from refinery.decontaminate.benchmarks import read_items
from refinery.decontaminate.config import DecontaminateConfig
from refinery.decontaminate.index import BenchmarkIndex
from refinery.decontaminate.measure import Search, measure, upper_bound
from refinery.decontaminate.words import ItemWords
from refinery.text.batch import Hashes, TextBatch
from refinery.text.utf8 import Texts

PIECE_CHARS, BATCH = 600, 2000
JUMP = 0.25
MIN_HELD = 0.5


def real_pieces(folder: Path) -> Iterator[str]:
    """Pieces of about 600 characters, cut at line ends."""
    for path in sorted(folder.rglob("*")):
        for text in _texts(path):
            piece = ""
            for line in text.split("\n"):
                piece += line + "\n"
                if len(piece) >= PIECE_CHARS:
                    yield piece
                    piece = ""
            if piece.strip():
                yield piece


def _texts(path: Path) -> Iterator[str]:
    if path.name.endswith(".jsonl.gz"):
        yield from read_texts(path)
    elif path.suffix == ".txt":
        yield path.read_text(encoding="utf-8", errors="replace")


def written_pieces(
    index: BenchmarkIndex, hashes: Hashes, count: int, *, chinese: bool
) -> Iterator[str]:
    """Chains over pairs of the items' words; one step in four jumps to any word."""
    words = index.words
    is_chosen = np.repeat(words.is_chinese() == chinese, words.num_tokens)
    chosen = np.flatnonzero(is_chosen)
    _, examples, tokens = np.unique(hashes[chosen], return_index=True, return_inverse=True)
    vocabulary = [words.word(int(chosen[example])) for example in examples]
    order = np.argsort(tokens, kind="stable")
    firsts = np.searchsorted(tokens[order], np.arange(len(vocabulary)))
    counts = np.bincount(tokens)
    generator = np.random.default_rng(11)
    blank, length = ("", 90) if chinese else (" ", 60)
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        current = tokens[generator.integers(0, len(tokens), size)]
        columns = []
        for _ in range(length):
            columns.append(current)
            offset = (generator.random(size) * counts[current]).astype(np.int64)
            follower = order[firsts[current] + offset] + 1
            jumps = (generator.random(size) < JUMP) | (follower >= len(tokens))
            anywhere = generator.integers(0, len(tokens), size)
            current = tokens[np.where(jumps, anywhere, follower)]
        for row in np.stack(columns, axis=1).tolist():
            yield blank.join([vocabulary[token] for token in row])


def judged(index: BenchmarkIndex, texts: Iterator[str]) -> dict[str, int]:
    """Documents, those with a hit, and those that hold an item by the rule above."""
    found = {"documents": 0, "flagged": 0, "hold_an_item": 0, "bytes": 0}
    for batch in _batches(texts):
        held: dict[int, bool] = {}
        for match in index.scan(Texts.of(batch)):
            held.setdefault(match.text, False)
        for text in held:
            held[text] = _holds(index, batch[text])
        found["documents"] += len(batch)
        found["flagged"] += len(held)
        found["hold_an_item"] += sum(held.values())
        found["bytes"] += sum(len(text.encode()) for text in batch)
    return found


def _holds(index: BenchmarkIndex, text: str) -> bool:
    """Whether the joined matches of one item cover half of its words."""
    batch = TextBatch.of([text])
    covered: dict[int, set[int]] = {}
    for match in index.scan(Texts.of([text])):
        first, last = np.searchsorted(batch.token_starts, (match.start, match.end))
        covered.setdefault(match.item, set()).update(range(int(first), int(last)))
    lengths = index.words.num_tokens
    return any(len(own) >= MIN_HELD * lengths[item] for item, own in covered.items())


def _batches(texts: Iterator[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def held_out(index: BenchmarkIndex, folder: Path, count: int) -> list[str]:
    """Real pieces without a hit, evenly from all texts."""
    pieces = list(real_pieces(folder))
    chosen = pieces[:: max(1, len(pieces) // count)]
    hit = {match.text for match in index.scan(Texts.of(chosen))}
    return [text for number, text in enumerate(chosen) if number not in hit]


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("benchmarks", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--documents", type=int, default=400_000)
    parser.add_argument("--planted", type=int, default=250)
    args = parser.parse_args()
    configs = published(args.benchmarks)
    items = [item for config in configs for item in read_items(config)]
    index = BenchmarkIndex.build(items, DecontaminateConfig(benchmarks=configs))
    hosts = held_out(index, args.texts, 2000)
    result = measure(Search(index), items, hosts, most=args.planted, seed=1)
    real = judged(index, real_pieces(args.texts))
    rest = max(0, args.documents - (real["documents"] - real["hold_an_item"]))
    hashes = ItemWords.of([item.text for item in items])[1]
    english = judged(index, written_pieces(index, hashes, (rest + 1) // 2, chinese=False))
    chinese = judged(index, written_pieces(index, hashes, (rest + 1) // 2, chinese=True))
    false = real["flagged"] - real["hold_an_item"] + english["flagged"] + chinese["flagged"]
    clean = sum(kind["documents"] for kind in (real, english, chinese)) - real["hold_an_item"]
    record(
        "decontaminate_measure",
        {
            "items": len(items),
            "ngrams": index.num_ngrams,
            "recall": {
                group: {name: round(c.found / c.planted, 4) for name, c in counts.items()}
                for group, counts in result.groups.items()
            },
            "planted": {
                group: counts["verbatim"].planted for group, counts in result.groups.items()
            },
            "clean_documents": clean,
            "false_positives": false,
            "per_million": round(1e6 * false / clean, 2),
            "per_million_below": round(1e6 * upper_bound(false, clean), 2),
            "real": real,
            "written_english": english,
            "written_chinese": chinese,
        },
    )


if __name__ == "__main__":
    main()
