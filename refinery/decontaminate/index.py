"""The index of benchmark n-grams and the scan of documents against it.

A bitmap over the hash lets nearly every clean position pass without a look-up; what is left is
found by binary search and confirmed against the item's own words before it counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.config import DecontaminateConfig
from refinery.text_batch import Hashes, TextBatch, hash_spans, mix

INDEX_VERSION = 2
MIN_BITMAP_BITS, MAX_BITMAP_BITS = 20, 30
MIN_LINE_TOKENS = 4
LINE = 0
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Match:
    """A confirmed n-gram (or whole line) of an item in one text: code points [start, end)."""

    text: int
    item: int
    gram: int
    start: int
    end: int


@dataclass(frozen=True)
class _Grams:
    """Sorted hashes of one length (LINE: whole items), and the token where each begins.

    `bits` has one bit per slot of the hash's upper bits, 32 slots or more per hash: about 3 % of
    clean positions pass. Ten million n-grams take 40 MB of bits and 120 MB of hashes and places.
    """

    tokens: int
    hashes: Hashes
    firsts: NDArray[np.int32]
    shift: int
    bits: NDArray[np.uint8]

    @classmethod
    def of(cls, tokens: int, hashes: Hashes, firsts: NDArray[np.int64]) -> _Grams:
        order = np.lexsort((firsts, hashes))
        wanted = int(np.ceil(np.log2(max(1, 32 * len(hashes)))))
        shift = 64 - min(MAX_BITMAP_BITS, max(MIN_BITMAP_BITS, wanted))
        bits = np.zeros(1 << (64 - shift - 3), np.uint8)
        slots = hashes >> np.uint64(shift)
        np.bitwise_or.at(bits, (slots >> np.uint64(3)).astype(np.int64), _bit(slots))
        return cls(tokens, hashes[order], firsts[order].astype(np.int32), shift, bits)

    def candidates(self, hashes: Hashes) -> NDArray[np.int64]:
        """Positions whose hash may be in the index."""
        slots = hashes >> np.uint64(self.shift)
        found = self.bits[(slots >> np.uint64(3)).view(np.int64)] & _bit(slots)
        return np.flatnonzero(found)


def _bit(slots: Hashes) -> NDArray[np.uint8]:
    return np.left_shift(np.uint8(1), (slots & np.uint64(7)).astype(np.uint8))


@dataclass(frozen=True)
class BenchmarkIndex:
    """n-grams of all items by length, and the items' folded words for confirmation.

    Attributes:
        items: All items, in the order of their benchmarks.
        ngram_tokens: n of each benchmark.
        uncovered: Items too short for an n-gram and for a line match.
        words: Items as one batch; confirmation reads its folded code points.
        grams: One group by length, whole lines apart.
    """

    items: Sequence[Item]
    ngram_tokens: dict[str, int]
    uncovered: Sequence[int]
    words: TextBatch = field(repr=False)
    grams: Sequence[_Grams] = field(repr=False)

    @classmethod
    def build(cls, items: Sequence[Item], config: DecontaminateConfig) -> BenchmarkIndex:
        """Index the items of all benchmarks."""
        words = TextBatch.of([item.text for item in items])
        lengths = words.num_tokens
        by_benchmark: dict[str, list[int]] = defaultdict(list)
        for place, item in enumerate(items):
            by_benchmark[item.benchmark].append(place)
        ngram_tokens = {
            name: int(
                np.clip(np.percentile(lengths[places], 5), config.min_ngram, config.max_ngram)
            )
            for name, places in by_benchmark.items()
        }
        n_of = np.array([ngram_tokens[item.benchmark] for item in items], np.int64)
        grams = []
        for n, hashes in running_ngrams(words.token_hashes, sorted(set(ngram_tokens.values()))):
            firsts = _firsts_inside(words, (n_of == n) & (lengths >= n), n)
            grams.append(_Grams.of(n, hashes[firsts], firsts))
        short = np.flatnonzero((lengths < n_of) & (lengths >= MIN_LINE_TOKENS))
        firsts, lasts = words.token_bounds[:-1][short], words.token_bounds[1:][short]
        grams.append(_Grams.of(LINE, hash_spans(words.token_hashes, firsts, lasts), firsts))
        return cls(
            items=items,
            ngram_tokens=ngram_tokens,
            uncovered=np.flatnonzero(lengths < np.minimum(n_of, MIN_LINE_TOKENS)).tolist(),
            words=words,
            grams=[g for g in grams if len(g.hashes)],
        )

    @property
    def num_ngrams(self) -> int:
        """Entries of all lengths."""
        return sum(len(grams.hashes) for grams in self.grams)

    def item_words(self, item: int) -> tuple[str, ...]:
        """The folded tokens of one item."""
        first, last = self.words.token_bounds[item], self.words.token_bounds[item + 1]
        return tuple(_folded(self.words, token) for token in range(first, last))

    def entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(item, n-gram hash as signed 64-bit integer) of every entry."""
        bounds = self.words.token_bounds
        none = np.zeros(0, np.int64)
        items = [np.searchsorted(bounds, g.firsts, side="right") - 1 for g in self.grams]
        hashes = [g.hashes.view(np.int64) for g in self.grams]
        return np.concatenate([none, *items]), np.concatenate([none, *hashes])

    def scan(self, batch: TextBatch) -> list[Match]:
        """Confirmed matches in the order of texts and places."""
        found: set[Match] = set()
        lengths = [grams.tokens for grams in self.grams if grams.tokens != LINE]
        by_length = {grams.tokens: grams for grams in self.grams}
        for n, hashes in running_ngrams(batch.token_hashes, lengths):
            firsts = by_length[n].candidates(hashes)
            lasts = firsts + n
            inside = batch.token_doc[firsts] == batch.token_doc[lasts - 1]
            firsts, lasts = firsts[inside], lasts[inside]
            found.update(self._confirmed(batch, by_length[n], hashes[firsts], firsts, lasts))
        if LINE in by_length:
            firsts, lasts = _line_tokens(batch)
            hashes = hash_spans(batch.token_hashes, firsts, lasts)
            maybe = by_length[LINE].candidates(hashes)
            found.update(
                self._confirmed(batch, by_length[LINE], hashes[maybe], firsts[maybe], lasts[maybe])
            )
        return sorted(found, key=lambda m: (m.text, m.start, m.end, m.item, m.gram))

    def _confirmed(
        self,
        batch: TextBatch,
        grams: _Grams,
        hashes: Hashes,
        firsts: NDArray[np.int64],
        lasts: NDArray[np.int64],
    ) -> Iterator[Match]:
        low = np.searchsorted(grams.hashes, hashes, side="left")
        high = np.searchsorted(grams.hashes, hashes, side="right")
        for position in np.flatnonzero(high > low):
            first, last = int(firsts[position]), int(lasts[position])
            text = int(batch.token_doc[first])
            base = int(batch.starts[text])
            for own in grams.firsts[low[position] : high[position]].tolist():
                item = int(np.searchsorted(self.words.token_bounds, own, side="right")) - 1
                if self._same_words(batch, first, last, own):
                    yield Match(
                        text,
                        item,
                        int(hashes[position : position + 1].view(np.int64)[0]),
                        int(batch.token_starts[first]) - base,
                        int(batch.token_ends[last - 1]) - base,
                    )

    def _same_words(self, batch: TextBatch, first: int, last: int, own: int) -> bool:
        return all(
            _folded(batch, token) == _folded(self.words, own + token - first)
            for token in range(first, last)
        )


def running_ngrams(token_hashes: Hashes, lengths: Sequence[int]) -> Iterator[tuple[int, Hashes]]:
    """(n, hashes of every run of n tokens) for ascending lengths, in one pass for all of them."""
    if not lengths:
        return
    value = np.zeros(len(token_hashes), np.uint64)
    for place in range(max(lengths)):
        count = len(token_hashes) - place
        if count <= 0:
            return
        value = value[:count]
        value *= _FACTOR
        value += token_hashes[place : place + count]
        if place + 1 in lengths:
            yield place + 1, mix(value)


def joined_spans(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sorted spans with those that touch or overlap made one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def _folded(batch: TextBatch, token: int) -> str:
    codes = batch.folded[batch.token_starts[token] : batch.token_ends[token]]
    return codes.astype("<u4").tobytes().decode("utf-32-le")


def _firsts_inside(words: TextBatch, members: NDArray[np.bool_], n: int) -> NDArray[np.int64]:
    """First tokens of the runs of n tokens that lie inside one of the member texts."""
    last_first = np.repeat(words.token_bounds[1:] - n, words.num_tokens)
    inside = np.repeat(members, words.num_tokens) & (np.arange(len(last_first)) <= last_first)
    return np.flatnonzero(inside)


def _line_tokens(batch: TextBatch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(first token, one past the last) of lines with enough tokens."""
    lines = batch.lines()
    firsts = np.searchsorted(batch.token_starts, lines.starts)
    lasts = np.searchsorted(batch.token_starts, lines.ends)
    enough = lasts - firsts >= MIN_LINE_TOKENS
    return firsts[enough].astype(np.int64), lasts[enough].astype(np.int64)
