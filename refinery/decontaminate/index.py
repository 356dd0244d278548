"""The index of benchmark n-grams and the scan of documents against it.

A bitmap over 24 bits of the hash lets nearly every clean position pass without a look-up; what is
left is found by binary search and confirmed against the item's own words before it counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.config import DecontaminateConfig
from refinery.text_batch import Hashes, TextBatch, hash_spans, ngram_hashes

INDEX_VERSION = 1
BITMAP_BITS = 24
MIN_LINE_TOKENS = 4


@dataclass(frozen=True)
class Hit:
    """A confirmed match in one text: code points [start, end)."""

    text: int
    item: int
    start: int
    end: int


@dataclass(frozen=True)
class _Grams:
    """Hashes of one length (0 tokens: whole lines), sorted, with the item and place of each."""

    tokens: int
    hashes: Hashes
    items: NDArray[np.int64]
    places: NDArray[np.int64]
    bitmap: NDArray[np.bool_]


@dataclass(frozen=True)
class BenchmarkIndex:
    """n-grams of all items by length, and the items' folded words for confirmation.

    Attributes:
        items: All items, in the order of their benchmarks.
        words: Folded tokens of each item.
        uncovered: Items too short for an n-gram and for a line match.
        ngram_tokens: n of each benchmark.
    """

    items: Sequence[Item]
    words: Sequence[tuple[str, ...]]
    ngram_tokens: dict[str, int]
    uncovered: Sequence[int]
    grams: Sequence[_Grams] = field(repr=False)

    @classmethod
    def build(cls, items: Sequence[Item], config: DecontaminateConfig) -> BenchmarkIndex:
        """Index the items of all benchmarks."""
        batch = TextBatch.of([item.text for item in items])
        lengths = batch.num_tokens
        by_benchmark: dict[str, list[int]] = defaultdict(list)
        for place, item in enumerate(items):
            by_benchmark[item.benchmark].append(place)
        ngram_tokens = {
            name: int(
                np.clip(np.percentile(lengths[places], 5), config.min_ngram, config.max_ngram)
            )
            for name, places in by_benchmark.items()
        }
        n_of = np.array([ngram_tokens[item.benchmark] for item in items])
        grams = [
            _ngrams_of(batch, np.flatnonzero((n_of == n) & (lengths >= n)), n)
            for n in sorted(set(ngram_tokens.values()))
        ]
        short = np.flatnonzero((lengths < n_of) & (lengths >= MIN_LINE_TOKENS))
        grams.append(_lines_of(batch, short))
        return cls(
            items=items,
            words=[tuple(folded_words(batch, place)) for place in range(len(items))],
            ngram_tokens=ngram_tokens,
            uncovered=np.flatnonzero(lengths < np.minimum(n_of, MIN_LINE_TOKENS)).tolist(),
            grams=[g for g in grams if len(g.hashes)],
        )

    def scan(self, batch: TextBatch) -> list[Hit]:
        """Confirmed matches, overlapping n-grams of one item joined to one hit."""
        found: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
        for grams in self.grams:
            for first, last, item, place in _matches(batch, grams):
                text = int(batch.token_doc[first])
                if self._confirmed(batch, first, last, item, place):
                    base = batch.starts[text]
                    span = batch.token_starts[first] - base, batch.token_ends[last - 1] - base
                    found[text, item].append((int(span[0]), int(span[1])))
        return [
            Hit(text, item, start, end)
            for (text, item), spans in sorted(found.items())
            for start, end in _joined(spans)
        ]

    def _confirmed(self, batch: TextBatch, first: int, last: int, item: int, place: int) -> bool:
        words = self.words[item][place : place + last - first]
        return len(words) == last - first and all(
            word == _folded(batch, first + offset) for offset, word in enumerate(words)
        )


def folded_words(batch: TextBatch, text: int) -> list[str]:
    """The folded tokens of one text."""
    first, last = batch.token_bounds[text], batch.token_bounds[text + 1]
    return [_folded(batch, token) for token in range(first, last)]


def _folded(batch: TextBatch, token: int) -> str:
    codes = batch.folded[batch.token_starts[token] : batch.token_ends[token]]
    return codes.astype("<u4").tobytes().decode("utf-32-le")


def _make_grams(
    tokens: int, hashes: Hashes, items: NDArray[np.int64], places: NDArray[np.int64]
) -> _Grams:
    order = np.lexsort((places, items, hashes))
    bitmap = np.zeros(1 << BITMAP_BITS, bool)
    bitmap[_slots(hashes)] = True
    return _Grams(tokens, hashes[order], items[order], places[order], bitmap)


def _slots(hashes: Hashes) -> NDArray[np.int64]:
    return (hashes >> np.uint64(64 - BITMAP_BITS)).astype(np.int64)


def _ngrams_of(batch: TextBatch, members: NDArray[np.int64], n: int) -> _Grams:
    grams = ngram_hashes(batch.token_hashes, n)
    hashes, items, places = [np.zeros(0, np.uint64)], [], []
    for text in members:
        first, last = batch.token_bounds[text], batch.token_bounds[text + 1] - n + 1
        hashes.append(grams[first:last])
        items.append(np.full(last - first, text))
        places.append(np.arange(last - first))
    none = np.zeros(0, np.int64)
    return _make_grams(
        n, np.concatenate(hashes), np.concatenate([none, *items]), np.concatenate([none, *places])
    )


def _lines_of(batch: TextBatch, members: NDArray[np.int64]) -> _Grams:
    """Items shorter than n, as one line each."""
    firsts, lasts = batch.token_bounds[:-1][members], batch.token_bounds[1:][members]
    hashes = hash_spans(batch.token_hashes, firsts, lasts)
    return _make_grams(0, hashes, members.astype(np.int64), np.zeros(len(members), np.int64))


def _matches(batch: TextBatch, grams: _Grams) -> list[tuple[int, int, int, int]]:
    """(first token, one past the last, item, place in the item) of every equal hash."""
    if grams.tokens == 0:
        lines = batch.lines()
        firsts = np.searchsorted(batch.token_starts, lines.starts)
        lasts = np.searchsorted(batch.token_starts, lines.ends)
        long_enough = lasts - firsts >= MIN_LINE_TOKENS
        firsts, lasts = firsts[long_enough], lasts[long_enough]
        hashes = hash_spans(batch.token_hashes, firsts, lasts)
    else:
        hashes = ngram_hashes(batch.token_hashes, grams.tokens)
        firsts = np.arange(len(hashes))
        lasts = firsts + grams.tokens
    maybe = np.flatnonzero(grams.bitmap[_slots(hashes)])
    low = np.searchsorted(grams.hashes, hashes[maybe], side="left")
    high = np.searchsorted(grams.hashes, hashes[maybe], side="right")
    matches = []
    for position, start, stop in zip(maybe, low, high, strict=True):
        first, last = int(firsts[position]), int(lasts[position])
        if stop > start and batch.token_doc[first] == batch.token_doc[last - 1]:
            for entry in range(start, stop):
                matches.append((first, last, int(grams.items[entry]), int(grams.places[entry])))
    return matches


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined
