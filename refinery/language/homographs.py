"""Words that have other neighbours in one domain than in another (跨领域同形异义词).

For each word the neighbours within a window are counted by domain, and the two distributions are
compared by the Jensen-Shannon divergence in bits (Lin 1991): 0 where they are equal, 1 where no
neighbour is shared. With few occurrences any two distributions differ. So the same is measured after
the word's occurrences were dealt at random to two groups of the same sizes; words are ranked by how
far the divergence is above that, which keeps rare words from the top.

Legend: K words of a corpus in order, U distinct words, P pairs (occurrence of a word, neighbour).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from refinery.language.domains import HomographsConfig
from refinery.text.batch import CJK_RANGES
from refinery.text.hashing import mix_all

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
    """One word in two domains.

    Attributes:
        divergence: Of its neighbours in the two domains, in bits.
        by_chance: The same after its occurrences were dealt at random.
        counts: Occurrences in each domain.
        contexts: Some of them in each domain, as they stand in documents.
    """

    word: str
    domains: tuple[str, str]
    divergence: float
    by_chance: float
    counts: tuple[int, int]
    contexts: tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class _Corpus:
    """Texts of one domain as words.

    Attributes:
        words: [K] numbers of the words.
        docs: [K] index of the text that holds each.
        starts: [K] offset of each in its text.
    """

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
        for word, divergence, by_chance in _compare(
            corpora[one], corpora[other], wanted & ~is_stop, is_stop, config.window
        ):
            if word in best and divergence - by_chance <= _excess(best[word]):
                continue
            best[word] = Homograph(
                word=names[word],
                domains=(one, other),
                divergence=round(divergence, 4),
                by_chance=round(by_chance, 4),
                counts=(int(counts[one][word]), int(counts[other][word])),
                contexts=((), ()),
            )
    ranked = sorted(best.values(), key=lambda h: (h.by_chance - h.divergence, h.word))
    return [_with_contexts(homograph, corpora, ids) for homograph in ranked[: config.max_words]]


def _excess(homograph: Homograph) -> float:
    return homograph.divergence - homograph.by_chance


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
    bits = np.bincount(words, (parts[0] + parts[1]) / 2, num_words)
    bits[np.bincount(words, minlength=num_words) == 0] = np.nan
    return np.asarray(np.clip(bits, 0.0, 1.0))


def _compare(
    one: _Corpus, other: _Corpus, wanted: NDArray[np.bool_], is_stop: NDArray[np.bool_], window: int
) -> list[tuple[int, float, float]]:
    """Measure the wanted words: (word, divergence, divergence by chance)."""
    parts = [_pairs(corpus, wanted, is_stop, window) for corpus in (one, other)]
    words, neighbours = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    # Indices in the second corpus follow those in the first: each occurrence has its own number.
    occurrences = np.concatenate([parts[0][2], parts[1][2] + len(one.words)])
    in_other = np.repeat([False, True], [len(part[0]) for part in parts])
    size = len(wanted)
    keys, inverse = np.unique(words * size + neighbours, return_inverse=True)
    pairs = (keys // size, keys % size)

    def measure(is_second: NDArray[np.bool_]) -> Floats:
        second = np.bincount(inverse, is_second, len(keys)).astype(np.float64)
        first = np.bincount(inverse, ~is_second, len(keys)).astype(np.float64)
        return divergences(pairs, (first, second), size)

    true = measure(in_other)
    chance = measure(_dealt(words, occurrences, in_other))
    measured = np.flatnonzero(wanted & ~np.isnan(true) & ~np.isnan(chance))
    return [(int(w), float(true[w]), float(chance[w])) for w in measured]


def _dealt(words: Ints, occurrences: Ints, in_other: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """[P] whether a pair is in a random second group, which has as many of each word as the true one.

    All pairs of one occurrence go together.
    """
    distinct, inverse = np.unique(occurrences, return_inverse=True)
    word = np.zeros(len(distinct), np.int64)
    second = np.zeros(len(distinct), bool)
    word[inverse], second[inverse] = words, in_other
    # The order of hashes is a shuffle that is the same on every machine.
    shuffled = np.lexsort((mix_all(distinct.astype(np.uint64) + np.uint64(1)), word))
    ordered = word[shuffled]
    firsts = np.searchsorted(ordered, ordered)
    rank = np.arange(len(distinct)) - firsts
    quota = np.bincount(word, second, int(word.max()) + 1 if len(word) else 0)
    dealt = np.zeros(len(distinct), bool)
    dealt[shuffled] = rank < quota[ordered]
    return np.asarray(dealt[inverse])


def _pairs(
    corpus: _Corpus, wanted: NDArray[np.bool_], is_stop: NDArray[np.bool_], window: int
) -> tuple[Ints, Ints, Ints]:
    """[P] word, neighbour, and index of the word in the corpus; stop words are no neighbours."""
    words, docs = corpus.words, corpus.docs
    centres = np.flatnonzero(wanted[words])
    parts: list[tuple[Ints, Ints, Ints]] = []
    for step in (*range(-window, 0), *range(1, window + 1)):
        near = centres + step
        inside = (near >= 0) & (near < len(words))
        centre, near = centres[inside], near[inside]
        counts = (docs[centre] == docs[near]) & ~is_stop[words[near]]
        centre, near = centre[counts], near[counts]
        parts.append((words[centre], words[near], centre))
    word, neighbour, occurrence = (np.concatenate(column) for column in zip(*parts, strict=True))
    return word, neighbour, occurrence


def _split(texts: list[str], ids: dict[str, int]) -> _Corpus:
    words, docs, starts = [], [], []
    for doc, text in enumerate(texts):
        for word, start in words_with_offsets(text):
            words.append(ids.setdefault(word.lower(), len(ids)))
            docs.append(doc)
            starts.append(start)
    return _Corpus(texts, *(np.array(column, np.int64) for column in (words, docs, starts)))


def words_with_offsets(text: str) -> Iterator[tuple[str, int]]:
    """Words of letters and where they begin; jieba's dictionary cuts runs of CJK characters."""
    import rjieba

    for run in _RUNS.finditer(text):
        if not _CJK.match(run[0]):
            yield run[0], run.start()
            continue
        offset = run.start()
        for word in rjieba.cut(run[0]):
            yield word, offset
            offset += len(word)


def _with_contexts(
    homograph: Homograph, corpora: Mapping[str, _Corpus], ids: Mapping[str, int]
) -> Homograph:
    word = homograph.word
    first, second = (_contexts(corpora[d], ids[word], len(word)) for d in homograph.domains)
    return replace(homograph, contexts=(first, second))


def _contexts(corpus: _Corpus, word: int, length: int) -> tuple[str, ...]:
    """The first occurrences of a word with their surroundings, of different texts where it can be."""
    occurrences = np.flatnonzero(corpus.words == word)
    _, firsts = np.unique(corpus.docs[occurrences], return_index=True)
    chosen = [*occurrences[firsts], *np.delete(occurrences, firsts)][:NUM_CONTEXTS]
    contexts = []
    for occurrence in chosen:
        start = int(corpus.starts[occurrence])
        text = corpus.texts[int(corpus.docs[occurrence])]
        piece = text[max(0, start - CONTEXT_CHARS) : start + length + CONTEXT_CHARS]
        contexts.append(" ".join(piece.split()))
    return tuple(contexts)
