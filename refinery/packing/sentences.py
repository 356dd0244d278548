"""Layouts that know sentences: whole sentences of one document, and pairs as BERT was trained on.

Both see lengths and starts of sentences alone, not tokens, as the other layouts do.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from refinery.packing.config import SPECIAL_TOKENS_OF_A_PAIR
from refinery.packing.layouts import Ints, Segments

_TRIES = 10


@dataclass(frozen=True)
class Half:
    """Neighbouring tokens of a document, one past the last as `end`."""

    document: int
    start: int
    end: int

    @property
    def tokens(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Pair:
    """Two halves, and whether the second follows the first in its document."""

    first: Half
    second: Half
    is_next: bool


def sentence_rows(lengths: Ints, starts: Sequence[Ints], seq_len: int) -> Segments:
    """Rows of whole sentences of one document, as many as fit; nothing is left out.

    Room for [CLS] and two [SEP] stays free, so that an objective can make a pair of the row. A
    sentence longer than that is cut.
    """
    room = seq_len - SPECIAL_TOKENS_OF_A_PAIR
    documents, begins, ends = [], [], []
    for document, length in enumerate(lengths.tolist()):
        begin = 0
        cuts = starts[document].tolist()
        # The row ends before the last sentence that starts inside the room; where none starts there, the
        # sentence is cut.
        while begin < length:
            end = length
            if length - begin > room:
                last = int(np.searchsorted(cuts, begin + room, side="right")) - 1
                fits = last >= 0 and cuts[last] > begin
                end = cuts[last] if fits else begin + room
            documents.append(document)
            begins.append(begin)
            ends.append(end)
            begin = end
    begin_array, number = np.array(begins, np.int64), len(documents)
    return Segments(
        row=np.arange(number, dtype=np.int64),
        document=np.array(documents, np.int64),
        doc_start=begin_array,
        row_start=np.zeros(number, np.int64),
        length=np.array(ends, np.int64) - begin_array,
        num_rows=number,
    )


def pair_segments(pairs: Sequence[Pair]) -> Segments:
    """Two segments per row: behind [CLS], and behind the first [SEP]."""
    halves = [half for pair in pairs for half in (pair.first, pair.second)]
    first = np.array([pair.first.tokens for pair in pairs], np.int64)
    starts = np.stack((np.ones_like(first), first + 2), axis=1).reshape(-1)
    return Segments(
        row=np.repeat(np.arange(len(pairs), dtype=np.int64), 2),
        document=np.array([half.document for half in halves], np.int64),
        doc_start=np.array([half.start for half in halves], np.int64),
        row_start=starts,
        length=np.array([half.tokens for half in halves], np.int64),
        num_rows=len(pairs),
    )


@dataclass(frozen=True, kw_only=True)
class PairWalk:
    """google-research/bert's walk over the documents of a shard.

    Sentences are gathered up to a target length and cut in two; half of the time, and where there
    is one sentence only, the second half is drawn from another document and the sentences that
    were to be the second half are put back. Source: `create_instances_from_document` of
    create_pretraining_data.py.

    Attributes:
        sentences: Per document the bounds of its sentences in tokens: n + 1 numbers for n of them.
        keys: Per document what its random numbers are keyed by, beside the seed.
        seq_len: Tokens per row, special tokens included.
        short_fraction: Fraction of the documents whose target length is drawn shorter than a row.
        seed: The recipe's seed.
    """

    sentences: Sequence[Sequence[int]]
    keys: Sequence[str]
    seq_len: int
    short_fraction: float
    seed: int

    def pairs(self) -> Iterator[Pair]:
        """All pairs, document after document."""
        for document in range(len(self.sentences)):
            yield from self._of_document(document)

    def _of_document(self, document: int) -> Iterator[Pair]:
        bounds = self.sentences[document]
        digest = hashlib.sha256(f"{self.seed}\x1f{self.keys[document]}".encode()).digest()
        rng = random.Random(int.from_bytes(digest[:16], "little"))
        room = self.seq_len - SPECIAL_TOKENS_OF_A_PAIR
        target = rng.randint(2, room) if rng.random() < self.short_fraction else room
        begin = end = 0
        while end < len(bounds) - 1:
            end += 1
            gathered = bounds[end] - bounds[begin]
            if end < len(bounds) - 1 and gathered < target:
                continue
            count = end - begin
            cut = begin + (rng.randint(1, count - 1) if count >= 2 else 1)
            first = Half(document, bounds[begin], bounds[cut])
            is_next = count >= 2 and rng.random() >= 0.5
            if is_next:
                second = Half(document, bounds[cut], bounds[end])
            else:
                second = self._drawn(document, target - first.tokens, rng)
                end = cut
            yield Pair(*_truncated(first, second, room, rng), is_next)
            begin = end

    def _drawn(self, document: int, wanted: int, rng: random.Random) -> Half:
        """Draw sentences of another document, from a random one on, until there are enough tokens."""
        other = document
        for _ in range(_TRIES):
            other = rng.randrange(len(self.sentences))
            if other != document and len(self.sentences[other]) > 1:
                break
        bounds = self.sentences[other] if len(self.sentences[other]) > 1 else None
        if bounds is None:
            other, bounds = document, self.sentences[document]
        start = rng.randrange(len(bounds) - 1)
        end = start + 1
        while end < len(bounds) - 1 and bounds[end] - bounds[start] < wanted:
            end += 1
        return Half(other, bounds[start], bounds[end])


def _truncated(first: Half, second: Half, room: int, rng: random.Random) -> tuple[Half, Half]:
    """Take tokens off the longer half, each from the front or the back, until both fit."""
    excess = max(0, first.tokens + second.tokens - room)
    # Tokens go off the longer half until both are equal, then off both in turn, the second one first.
    uneven = min(excess, abs(first.tokens - second.tokens))
    rest = excess - uneven
    off_first = (uneven if first.tokens > second.tokens else 0) + rest // 2
    off_second = excess - off_first
    return _shortened(first, off_first, rng), _shortened(second, off_second, rng)


def _shortened(half: Half, tokens: int, rng: random.Random) -> Half:
    front = rng.getrandbits(tokens).bit_count() if tokens else 0
    return Half(half.document, half.start + front, half.end - (tokens - front))
