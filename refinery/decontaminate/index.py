"""The index of benchmark n-grams and the scan of documents against it.

One pass over a text's tokens hashes the runs of the shortest n and asks a Bloom filter; for the few
that pass, the hash grows to each benchmark's n and is looked up. Every hit is confirmed against the
item's own words, and the hits of an item together must be enough of it, before they count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.config import DecontaminateConfig
from refinery.decontaminate.grams import RunFilter, Runs, grow, run_hashes
from refinery.decontaminate.second_look import Hit, held
from refinery.decontaminate.words import ItemWords
from refinery.text.batch import Hashes, Indices, TextBatch
from refinery.text.hashing import mix_all

INDEX_VERSION = 4
MIN_LINE_TOKENS = 4
TEMPLATES_SHOWN = 50


@dataclass(frozen=True)
class Match:
    """A confirmed n-gram (or whole line) of an item in one text: code points [start, end)."""

    text: int
    item: int
    gram: int
    start: int
    end: int


@dataclass(frozen=True)
class BenchmarkIndex:
    """n-grams of all items by length, and the items' words for confirmation.

    Attributes:
        names: (benchmark, item id) of all items, in the order of their benchmarks.
        ngram_tokens: n of each benchmark.
        num_templates: n-grams left out because they stand in too many items.
        templates: (words, items) of the commonest of them.
        words: The items' folded tokens.
        runs: n-grams by length, then whole lines by length.
        filters: One over the beginnings of n-grams, one over those of whole lines.
    """

    names: Sequence[tuple[str, str]]
    ngram_tokens: dict[str, int]
    num_templates: int
    templates: Sequence[tuple[str, int]]
    words: ItemWords = field(repr=False)
    runs: Sequence[Runs] = field(repr=False)
    filters: Sequence[RunFilter] = field(repr=False)

    @classmethod
    def build(cls, items: Sequence[Item], config: DecontaminateConfig) -> BenchmarkIndex:
        """Index the items of all benchmarks."""
        words, hashes = ItemWords.of([item.text for item in items])
        lengths = words.num_tokens
        names = [(item.benchmark, item.item_id) for item in items]
        ngram_tokens = _ngram_tokens(names, lengths, config)
        n_of = np.array([ngram_tokens[name] for name, _ in names], np.int64)
        runs, prefixes, templates = [], [], []
        shortest = min(ngram_tokens.values(), default=1)
        for n in sorted(set(ngram_tokens.values())):
            firsts = _firsts_inside(words, (n_of == n) & (lengths >= n), n)
            finished = run_hashes(hashes, firsts, n)[1]
            num_items = _items_by_gram(words.items_of(firsts), finished)
            kept = _without_templates(words.items_of(firsts), num_items, config.max_ngram_items)
            templates += _shown(words, finished[~kept], firsts[~kept], num_items[~kept], n)
            prefixes.append(run_hashes(hashes, firsts[kept], shortest)[0])
            runs.append(Runs.of(n, finished[kept], firsts[kept], whole_line=False))
        filters = [RunFilter.of(shortest, np.concatenate([np.zeros(0, np.uint64), *prefixes]))]
        lines = []
        for n in range(MIN_LINE_TOKENS, int(n_of.max(initial=0))):
            firsts = words.item_bounds[:-1][(lengths == n) & (n < n_of)]
            lines.append(run_hashes(hashes, firsts, MIN_LINE_TOKENS)[0])
            finished = run_hashes(hashes, firsts, n)[1]
            runs.append(Runs.of(n, finished, firsts, whole_line=True))
        begins = np.concatenate([np.zeros(0, np.uint64), *lines])
        filters.append(RunFilter.of(MIN_LINE_TOKENS, begins))
        used = [one for one in runs if len(one.hashes)]
        templates.sort(key=lambda shown: (-shown[1], shown[0]))
        return cls(
            names,
            ngram_tokens,
            len(templates),
            templates[:TEMPLATES_SHOWN],
            words,
            used,
            filters,
        )

    @property
    def num_ngrams(self) -> int:
        return sum(len(runs.hashes) for runs in self.runs)

    @property
    def uncovered(self) -> list[int]:
        """Items too short for an n-gram and for a line match."""
        n_of = np.array([self.ngram_tokens[name] for name, _ in self.names], np.int64)
        least = np.minimum(n_of, MIN_LINE_TOKENS)
        return [int(item) for item in np.flatnonzero(self.words.num_tokens < least)]

    def entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(item, n-gram hash as signed 64-bit integer) of every entry."""
        none = np.zeros(0, np.int64)
        items = [self.words.items_of(runs.firsts) for runs in self.runs]
        hashes = [runs.hashes.view(np.int64) for runs in self.runs]
        return np.concatenate([none, *items]), np.concatenate([none, *hashes])

    def scan(self, batch: TextBatch) -> list[Match]:
        """Matches of the items that texts hold, in the order of texts and offsets."""
        hits: list[Hit] = []
        ngrams, lines = self.filters
        if any(not runs.whole_line for runs in self.runs):
            hits += self._hits(batch, *ngrams.scan(batch), ngrams.tokens, whole_line=False)
        if any(runs.whole_line for runs in self.runs):
            hits += self._line_hits(batch, lines)
        if not hits:
            return []
        lengths = self.words.num_tokens
        enough = {hit.item: self.ngram_tokens[self.names[hit.item][0]] for hit in hits}
        matches = {_match(batch, hit) for hit in held(batch, hits, lengths, enough)}
        return sorted(matches, key=lambda m: (m.text, m.start, m.end, m.item, m.gram))

    def _line_hits(self, batch: TextBatch, begins: RunFilter) -> Iterator[Hit]:
        is_first = _line_firsts(batch)
        firsts = np.flatnonzero(is_first[:-1])
        firsts = firsts[firsts + begins.tokens <= len(batch.token_hashes)]
        prefixes = run_hashes(batch.token_hashes, firsts, begins.tokens)[0]
        passed = begins.passing(prefixes)

        def ends_with_line(lasts: Indices) -> NDArray[np.bool_]:
            return is_first[lasts]

        yield from self._hits(
            batch,
            firsts[passed],
            prefixes[passed],
            begins.tokens,
            whole_line=True,
            accept=ends_with_line,
        )

    def _hits(
        self,
        batch: TextBatch,
        firsts: Indices,
        value: Hashes,
        tokens: int,
        *,
        whole_line: bool,
        accept: Callable[[Indices], NDArray[np.bool_]] | None = None,
    ) -> Iterator[Hit]:
        """Grow the runs that begin at `firsts` to every indexed length and look them up."""
        by_length = {runs.tokens: runs for runs in self.runs if runs.whole_line == whole_line}
        for n in range(tokens, max(by_length) + 1):
            fits = firsts + n <= len(batch.token_hashes)
            firsts, value = firsts[fits], value[fits]
            fits = batch.token_doc[firsts] == batch.token_doc[firsts + n - 1]
            firsts, value = firsts[fits], value[fits]
            if n > tokens:
                value = grow(value, batch.token_hashes, firsts + n - 1)
            if n in by_length:
                chosen = slice(None) if accept is None else accept(firsts + n)
                hashes, begins = mix_all(value[chosen]), firsts[chosen]
                yield from self._confirmed(batch, by_length[n], hashes, begins)

    def _confirmed(
        self, batch: TextBatch, runs: Runs, hashes: Hashes, firsts: Indices
    ) -> Iterator[Hit]:
        low, high = runs.bounds(hashes)
        for position in np.flatnonzero(high > low):
            first = int(firsts[position])
            text = int(batch.token_doc[first])
            gram = int(hashes[position : position + 1].view(np.int64)[0])
            for own in runs.firsts[low[position] : high[position]].tolist():
                if self.words.is_same(own, batch, first, runs.tokens):
                    item = int(self.words.items_of(np.array([own]))[0])
                    yield Hit(text, item, gram, first, own, runs.tokens)


def _match(batch: TextBatch, hit: Hit) -> Match:
    base = int(batch.starts[hit.text])
    start = int(batch.token_starts[hit.first]) - base
    end = int(batch.token_ends[hit.first + hit.tokens - 1]) - base
    return Match(hit.text, hit.item, hit.gram, start, end)


def _line_firsts(batch: TextBatch) -> NDArray[np.bool_]:
    """[K + 1] whether a line begins at a token; the index after the last one counts as a begin."""
    begins = np.concatenate((batch.starts[:-1], np.flatnonzero(batch.codes == 10) + 1))
    is_first = np.zeros(len(batch.token_starts) + 1, bool)
    is_first[np.searchsorted(batch.token_starts, begins)] = True
    is_first[-1] = True
    return is_first


def _ngram_tokens(
    names: Sequence[tuple[str, str]], lengths: Indices, config: DecontaminateConfig
) -> dict[str, int]:
    members: dict[str, list[int]] = defaultdict(list)
    for item, (name, _) in enumerate(names):
        members[name].append(item)
    return {
        name: int(np.clip(np.percentile(lengths[own], 5), config.min_ngram, config.max_ngram))
        for name, own in members.items()
    }


def _firsts_inside(words: ItemWords, members: NDArray[np.bool_], n: int) -> Indices:
    """First tokens of the runs of n tokens that lie inside one of the member items."""
    last_first = np.repeat(words.item_bounds[1:] - n, words.num_tokens)
    inside = np.repeat(members, words.num_tokens) & (np.arange(len(last_first)) <= last_first)
    return np.flatnonzero(inside)


def _items_by_gram(items: Indices, hashes: Hashes) -> Indices:
    """[entries] in how many items the n-gram of each entry stands."""
    if not len(hashes):
        return np.zeros(0, np.int64)
    order = np.lexsort((items, hashes))
    ordered, owners = hashes[order], items[order]
    new_gram = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    new_pair = new_gram | np.concatenate(([True], owners[1:] != owners[:-1]))
    gram = np.cumsum(new_gram) - 1
    counts = np.empty(len(hashes), np.int64)
    counts[order] = np.bincount(gram, weights=new_pair).astype(np.int64)[gram]
    return counts


def _without_templates(items: Indices, num_items: Indices, most: int | None) -> NDArray[np.bool_]:
    """Entries that stay where n-grams of more than `most` items go; no item loses all of its own.

    An item made of nothing but template keeps its rarest n-grams.
    """
    kept = np.ones(len(items), bool)
    if most is None or not len(items):
        return kept
    kept = num_items <= most
    num_kept = np.bincount(items[kept], minlength=int(items.max()) + 1)
    lost = num_kept[items] == 0
    rarest = np.full(int(items.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(rarest, items, num_items)
    return np.asarray(kept | (lost & (num_items == rarest[items])))


def _shown(
    words: ItemWords, hashes: Hashes, firsts: Indices, num_items: Indices, n: int
) -> list[tuple[str, int]]:
    """Each n-gram once, with its words and its number of items."""
    _, entries = np.unique(hashes, return_index=True)
    return [
        (" ".join(words.word(int(firsts[entry]) + i) for i in range(n)), int(num_items[entry]))
        for entry in entries
    ]
