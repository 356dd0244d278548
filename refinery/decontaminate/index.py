"""The index of benchmark n-grams and the scan of documents against it.

One pass over the hashes of a text's tokens hashes the runs of the shortest n and asks a Bloom filter; for
the few that pass, the hash grows to each benchmark's n and is looked up. Every hit is confirmed against the
item's own words, and the hits of an item together must be enough of it, before they count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from refinery.decontaminate.benchmarks import Item
from refinery.decontaminate.config import DecontaminateConfig
from refinery.decontaminate.grams import RunFilter, Runs, run_hashes
from refinery.decontaminate.second_look import Hit, held
from refinery.decontaminate.words import ItemWords
from refinery.text.batch import Hashes, Indices, TextBatch, TokenHashes
from refinery.text.utf8 import Texts

INDEX_VERSION = 5
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
        runs: What texts are searched for: n-grams, and whole lines.
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
        prefixes, ngrams, lines, templates = [], [], [], []
        shortest = min(ngram_tokens.values(), default=1)
        for n in sorted(set(ngram_tokens.values())):
            firsts = _firsts_inside(words, (n_of == n) & (lengths >= n), n)
            finished = run_hashes(hashes, firsts, n)[1]
            num_items = _items_by_gram(words.items_of(firsts), finished)
            kept = _without_templates(words.items_of(firsts), num_items, config.max_ngram_items)
            templates += _shown(words, finished[~kept], firsts[~kept], num_items[~kept], n)
            prefixes.append(run_hashes(hashes, firsts[kept], shortest)[0])
            ngrams.append((n, finished[kept], firsts[kept]))
        filters = [RunFilter.of(shortest, np.concatenate([np.zeros(0, np.uint64), *prefixes]))]
        prefixes = [np.zeros(0, np.uint64)]
        for n in range(MIN_LINE_TOKENS, int(n_of.max(initial=0))):
            firsts = words.item_bounds[:-1][(lengths == n) & (n < n_of)]
            prefixes.append(run_hashes(hashes, firsts, MIN_LINE_TOKENS)[0])
            lines.append((n, run_hashes(hashes, firsts, n)[1], firsts))
        filters.append(RunFilter.of(MIN_LINE_TOKENS, np.concatenate(prefixes)))
        templates.sort(key=lambda shown: (-shown[1], shown[0]))
        return cls(
            names,
            ngram_tokens,
            len(templates),
            templates[:TEMPLATES_SHOWN],
            words,
            (Runs.of(ngrams), Runs.of(lines)),
            filters,
        )

    @property
    def num_ngrams(self) -> int:
        return sum(map(len, self.runs))

    @property
    def uncovered(self) -> list[int]:
        """Items too short for an n-gram and for a line match."""
        n_of = np.array([self.ngram_tokens[name] for name, _ in self.names], np.int64)
        least = np.minimum(n_of, MIN_LINE_TOKENS)
        return [int(item) for item in np.flatnonzero(self.words.num_tokens < least)]

    def entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(item, n-gram hash as signed 64-bit integer) of every entry."""
        items = [self.words.items_of(runs.firsts) for runs in self.runs]
        hashes = [runs.entries.hashes_E.view(np.int64) for runs in self.runs]
        return np.concatenate(items), np.concatenate(hashes)

    def scan(self, texts: Texts) -> list[Match]:
        """Matches of the items that texts hold, in the order of texts and offsets."""
        tokens = TokenHashes.of(texts)
        found = list(self._found(tokens))
        if not found:
            return []
        # Letters and offsets are computed only of texts in which a hash was found.
        firsts = np.array([first for first, _, _, _ in found])
        documents, owners = np.unique(
            np.searchsorted(tokens.bounds_D, firsts, side="right") - 1, return_inverse=True
        )
        batch = TextBatch.of([texts.text(document) for document in documents.tolist()])
        firsts += (batch.token_bounds[:-1] - tokens.bounds_D[documents])[owners]
        hits = []
        for text, first, (_, length, gram, owns) in zip(owners.tolist(), firsts.tolist(), found, strict=True):  # fmt: skip
            for own in owns.tolist():
                if self.words.is_same(own, batch, first, length):
                    item = int(self.words.items_of(np.array([own]))[0])
                    hits.append(Hit(text, item, gram, first, own, length))
        enough = {hit.item: self.ngram_tokens[self.names[hit.item][0]] for hit in hits}
        confirmed = held(batch, hits, self.words.num_tokens, enough)
        matches = {_match(batch, hit, int(documents[hit.text])) for hit in confirmed}
        return sorted(matches, key=lambda m: (m.text, m.start, m.end, m.item, m.gram))

    def _found(self, tokens: TokenHashes) -> Iterator[tuple[int, int, int, NDArray[np.int32]]]:
        """What `Runs.find` finds of n-grams, and of whole items where a line begins and one ends."""
        (ngrams, lines), (ngram_begins, line_begins) = self.runs, self.filters
        if len(ngrams):
            begins = ngram_begins.scan(tokens)
            yield from ngrams.find(tokens, begins, ngram_begins.tokens)
        if len(lines):
            is_begin = _line_begins(tokens)
            firsts = np.flatnonzero(is_begin[:-1])
            firsts = firsts[firsts + line_begins.tokens <= len(tokens.hashes_K)]
            prefixes = run_hashes(tokens.hashes_K, firsts, line_begins.tokens)[0]
            passed = line_begins.passing(prefixes)
            begins = firsts[passed], prefixes[passed]
            yield from lines.find(tokens, begins, line_begins.tokens, is_begin)


def _match(batch: TextBatch, hit: Hit, text: int) -> Match:
    base = int(batch.starts[hit.text])
    start = int(batch.token_starts[hit.first]) - base
    end = int(batch.token_ends[hit.first + hit.tokens - 1]) - base
    return Match(text, hit.item, hit.gram, start, end)


def _line_begins(tokens: TokenHashes) -> NDArray[np.bool_]:
    """[K + 1] whether a line begins at a token; the index after the last one counts as a begin."""
    begins = np.zeros(len(tokens.hashes_K) + 1, bool)
    begins[tokens.bounds_D] = True
    begins[tokens.line_firsts_L] = True
    return begins


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
