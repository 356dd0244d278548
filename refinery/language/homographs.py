"""Words that have other neighbours in one domain than in another (跨领域同形异义词).

For each word the neighbours within a window are counted by domain, and the two distributions
compared by the Jensen-Shannon divergence in bits (Lin 1991): 0 where they are equal, 1 where no
neighbour is shared. Few places make any two distributions differ, so the same is measured after the
word's places were dealt at random to two groups of the same sizes; words are ranked by how far the
divergence is above that, which keeps rare words from the top.

Legend: K words of a corpus in order, U distinct words, P pairs (place, neighbour).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.language.domains import HomographsConfig
from refinery.text.batch import CJK_RANGES, mix

HOMOGRAPHS_VERSION = 1
CONTEXT_CHARS = 40
NUM_CONTEXTS = 2
_CHARACTERS = "".join(f"{chr(first)}-{chr(last)}" for first, last in CJK_RANGES)
_CJK = re.compile(f"[{_CHARACTERS}]")
_RUNS = re.compile(f"[{_CHARACTERS}]+|[^\\W\\d_{_CHARACTERS}]+")

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Homograph:
    """One word in two domains; divergences in bits, contexts as they stand in documents."""

    word: str
    domains: tuple[str, str]
    divergence: float
    by_chance: float
    counts: tuple[int, int]
    contexts: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class _Corpus:
    """Texts of one domain as words: [K] word, text and place of each."""

    texts: list[str]
    words: Ints
    docs: Ints
    starts: Ints


def find_homographs(
    texts: Mapping[str, Iterable[str]], config: HomographsConfig
) -> list[Homograph]:
    """The words that differ most, each with the two domains in which it does.

    The result depends on the order of each domain's texts: give them in the order of their ids.
    """
    ids: dict[str, int] = {}
    corpora = {domain: _split(list(those), ids) for domain, those in sorted(texts.items())}
    names = list(ids)
    counts = {d: np.bincount(c.words, minlength=len(names)) for d, c in corpora.items()}
    total = np.sum(list(counts.values()), axis=0)
    is_stop = np.zeros(len(names), bool)
    is_stop[np.lexsort((np.arange(len(names)), -total))[: config.stop_words]] = True
    best: dict[int, Homograph] = {}
    for one, other in itertools.combinations(corpora, 2):
        wanted = np.minimum(counts[one], counts[other]) >= config.min_count
        for word, found, chance in _compare(
            corpora[one], corpora[other], wanted & ~is_stop, is_stop, config.window
        ):
            if word in best and found - chance <= best[word].divergence - best[word].by_chance:
                continue
            best[word] = Homograph(
                word=names[word],
                domains=(one, other),
                divergence=round(found, 4),
                by_chance=round(chance, 4),
                counts=(int(counts[one][word]), int(counts[other][word])),
                contexts=((), ()),
            )
    ranked = sorted(best.values(), key=lambda h: (h.by_chance - h.divergence, h.word))
    return [_with_contexts(found, corpora, ids) for found in ranked[: config.max_words]]


def divergences(pairs: tuple[Ints, Ints], counts: tuple[Floats, Floats], num_words: int) -> Floats:
    """[U] Jensen-Shannon divergence in bits of two neighbour distributions of each word.

    Args:
        pairs: [P] word and [P] neighbour, each pair once.
        counts: [P] times that the pair occurs in the one and in the other group.
        num_words: U; a word without neighbours in one of the groups has NaN.
    """
    words = pairs[0]
    shares = []
    for column in counts:
        sums = np.bincount(words, column, num_words)
        with np.errstate(invalid="ignore", divide="ignore"):
            shares.append(column / sums[words])
    one, other = shares
    middle = (one + other) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = [np.where(s > 0, s * np.log2(s / middle), s) for s in (one, other)]
    found = np.bincount(words, (parts[0] + parts[1]) / 2, num_words)
    found[np.bincount(words, minlength=num_words) == 0] = np.nan
    return np.asarray(np.clip(found, 0.0, 1.0))


def _compare(
    one: _Corpus, other: _Corpus, wanted: NDArray[np.bool_], is_stop: NDArray[np.bool_], window: int
) -> list[tuple[int, float, float]]:
    """(word, divergence, divergence by chance) of the wanted words."""
    parts = [_pairs(corpus, wanted, is_stop, window) for corpus in (one, other)]
    words, neighbours = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    # Places of the second corpus follow those of the first, so that each has a number of its own.
    places = np.concatenate([parts[0][2], parts[1][2] + len(one.words)])
    in_other = np.repeat([False, True], [len(part[0]) for part in parts])
    size = len(wanted)
    keys, inverse = np.unique(words * size + neighbours, return_inverse=True)
    pairs = (keys // size, keys % size)

    def measure(is_second: NDArray[np.bool_]) -> Floats:
        second = np.bincount(inverse, is_second, len(keys)).astype(np.float64)
        first = np.bincount(inverse, ~is_second, len(keys)).astype(np.float64)
        return divergences(pairs, (first, second), size)

    found = measure(in_other)
    chance = measure(_dealt(words, places, in_other))
    told = np.flatnonzero(wanted & ~np.isnan(found) & ~np.isnan(chance))
    return [(int(w), float(found[w]), float(chance[w])) for w in told]


def _dealt(words: Ints, places: Ints, in_other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[P] a random second group with as many places of each word as the true one has."""
    spots, inverse = np.unique(places, return_inverse=True)
    word = np.zeros(len(spots), np.int64)
    second = np.zeros(len(spots), bool)
    word[inverse], second[inverse] = words, in_other
    shuffled = np.lexsort((mix(spots.astype(np.uint64) + np.uint64(1)), word))
    # Within each word, as many of the first shuffled places as belong to the second group.
    ordered = word[shuffled]
    firsts = np.searchsorted(ordered, ordered)
    rank = np.arange(len(spots)) - firsts
    quota = np.bincount(word, second, int(word.max()) + 1 if len(word) else 0)
    dealt = np.zeros(len(spots), bool)
    dealt[shuffled] = rank < quota[ordered]
    return np.asarray(dealt[inverse])


def _pairs(
    corpus: _Corpus, wanted: NDArray[np.bool_], is_stop: NDArray[np.bool_], window: int
) -> tuple[Ints, Ints, Ints]:
    """[P] word, neighbour and place of the word, within one text; stop words are no neighbours."""
    words, docs = corpus.words, corpus.docs
    centres = np.flatnonzero(wanted[words])
    found: list[tuple[Ints, Ints, Ints]] = []
    for step in (*range(-window, 0), *range(1, window + 1)):
        near = centres + step
        inside = (near >= 0) & (near < len(words))
        here, near = centres[inside], near[inside]
        told = (docs[here] == docs[near]) & ~is_stop[words[near]]
        found.append((words[here[told]], words[near[told]], here[told]))
    one, two, three = (np.concatenate(column) for column in zip(*found, strict=True))
    return one, two, three


def _split(texts: list[str], ids: dict[str, int]) -> _Corpus:
    words, docs, starts = [], [], []
    for doc, text in enumerate(texts):
        for word, start in placed_words(text):
            words.append(ids.setdefault(word.lower(), len(ids)))
            docs.append(doc)
            starts.append(start)
    return _Corpus(texts, *(np.array(column, np.int64) for column in (words, docs, starts)))


def placed_words(text: str) -> Iterator[tuple[str, int]]:
    """Words of letters and their places; runs of CJK characters by jieba's dictionary."""
    import rjieba

    for run in _RUNS.finditer(text):
        if not _CJK.match(run[0]):
            yield run[0], run.start()
            continue
        place = run.start()
        for word in rjieba.cut(run[0]):
            yield word, place
            place += len(word)


def _with_contexts(
    found: Homograph, corpora: Mapping[str, _Corpus], ids: Mapping[str, int]
) -> Homograph:
    first, second = (_contexts(corpora[d], ids[found.word], len(found.word)) for d in found.domains)
    return Homograph(
        found.word, found.domains, found.divergence, found.by_chance, found.counts, (first, second)
    )


def _contexts(corpus: _Corpus, word: int, length: int) -> tuple[str, ...]:
    """The first places of a word, of different texts where there are several."""
    places = np.flatnonzero(corpus.words == word)
    _, firsts = np.unique(corpus.docs[places], return_index=True)
    chosen = [*places[firsts], *np.delete(places, firsts)][:NUM_CONTEXTS]
    contexts = []
    for place in chosen:
        start = int(corpus.starts[place])
        text = corpus.texts[int(corpus.docs[place])]
        piece = text[max(0, start - CONTEXT_CHARS) : start + length + CONTEXT_CHARS]
        contexts.append(" ".join(piece.split()))
    return tuple(contexts)
