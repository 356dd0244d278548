"""A 5-gram model counted from the training shards: what frequency alone says of a task.

A model that tells grammatical from ungrammatical sentences no better than this one has learnt which tokens
follow each other, not grammar. Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999) over
the tokens of the model's own tokenizer; a mark that is never predicted stands before each document.

Shapes: T tokens of all runs one behind the other, K distinct n-grams of one order, C distinct contexts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ContractError
from train.data.loader import SplitReader

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]
ORDER = 5
# Tokens that are counted of a larger split: the first rows of its order.
MOST_TOKENS = 20_000_000
_ROWS_AT_ONCE = 256
# Discounts of n-grams seen once, twice and more often where a corpus is too small to estimate them,
# as KenLM has them.
_FALLBACK = (0.5, 1.0, 1.5)
_UNSEEN = -1


@dataclass(frozen=True, kw_only=True)
class TokenRun:
    """Tokens that follow each other in one document.

    Attributes:
        is_start: Whether the document begins with them.
    """

    ids: NDArray[Any]
    is_start: bool = True


@dataclass(frozen=True, kw_only=True)
class _Tokens:
    """All runs one behind the other, with the mark before those that begin a document.

    Attributes:
        ids: Tokens.
        depth: Number of tokens before each in its run.
        run: Number of each token's run.
    """

    ids: Int64s
    depth: Int64s
    run: Int64s


@dataclass(frozen=True, kw_only=True)
class _Order:
    """The n-grams of one order.

    Attributes:
        keys: Number of the first tokens in the order below, times the size of the vocabulary and the
            mark, plus the last token; ascending, so that a number of this order is an index.
        logs: Logarithm of the probability of the last token behind the others.
        backoff: For each n-gram of the order below as a context, the logarithm of what is left to
            the shorter context.
    """

    keys: Int64s
    logs: Floats
    backoff: Floats


@dataclass(frozen=True, kw_only=True)
class NgramModel:
    """Probabilities of tokens behind up to `len(orders)` others.

    Attributes:
        vocab_size: Number of tokens; the mark has this id.
        unigrams: Logarithm of each token's probability behind nothing; of the mark, none.
        orders: Of two tokens, of three, and so on.
        tokens: Number of tokens that were counted.
    """

    vocab_size: int
    unigrams: Floats
    orders: tuple[_Order, ...]
    tokens: int

    def log_likelihoods(
        self, sequences: Sequence[Sequence[int]], *, starts: Sequence[int] | None = None
    ) -> Floats:
        """Nats of each sequence behind the mark of a document, all of it or what follows its context.

        Args:
            sequences: Ids, without the mark.
            starts: For each sequence the index of its first token that counts; by default the first.

        Raises:
            ContractError: An id is none of the vocabulary.
        """
        tokens = _joined((TokenRun(ids=np.asarray(ids)) for ids in sequences), self.vocab_size)
        counted_T = tokens.depth > 0  # the mark is not predicted
        if starts is not None:
            counted_T &= tokens.depth - 1 >= np.asarray(starts, np.int64)[tokens.run]
        logs_T = np.where(counted_T, self._logs(tokens), 0.0)
        return np.asarray(
            np.bincount(tokens.run, weights=logs_T, minlength=len(sequences)), np.float64
        )

    def _logs(self, tokens: _Tokens) -> Floats:
        logs_T, lower_T = self.unigrams[tokens.ids], tokens.ids
        for order in self.orders:
            context_T = _before(lower_T, tokens.depth)
            has_context_T = context_T != _UNSEEN
            keys_T = context_T * (self.vocab_size + 1) + tokens.ids
            at_T = np.minimum(np.searchsorted(order.keys, keys_T), len(order.keys) - 1)
            is_seen_T = has_context_T & (order.keys[at_T] == keys_T)
            left_T = np.where(has_context_T, order.backoff[context_T], 0.0)
            logs_T = np.where(is_seen_T, order.logs[at_T], logs_T + left_T)
            lower_T = np.where(is_seen_T, at_T, _UNSEEN)
        return logs_T


def count_ngrams(runs: Iterable[TokenRun], *, vocab_size: int, order: int = ORDER) -> NgramModel:
    """Count and smooth, in memory.

    Args:
        runs: The text.
        vocab_size: Number of tokens of the tokenizer: each gets a probability, seen or not.
        order: Tokens of the longest n-gram; two at least.

    Raises:
        ContractError: There is no text, or an id is none of the vocabulary.
        ValueError: The order is below two.
    """
    if order < 2:
        raise ValueError(f"order {order}: expected 2 or more")
    tokens = _joined(runs, vocab_size)
    levels = _count(tokens, vocab_size, order)
    # Orders below the highest count the different tokens before an n-gram, not how often it occurs.
    counts = [_continuations(low, high) for low, high in itertools.pairwise(levels)]
    counts[0][vocab_size] = 0  # the mark is not predicted
    counts.append(levels[-1].times)
    total = counts[0].sum()
    chances_K = (_discounted(counts[0]) + _taken(counts[0]).sum() / vocab_size) / total
    unigrams, orders = np.log(chances_K), []
    for level, counts_K in zip(levels[1:], counts[1:], strict=True):
        context_K = level.keys // (vocab_size + 1)
        contexts = len(chances_K)
        total_C = np.bincount(context_K, weights=counts_K, minlength=contexts)
        taken_C = np.bincount(context_K, weights=_taken(counts_K), minlength=contexts)
        # What no token follows leaves all to the shorter context.
        left_C = np.where(total_C > 0, taken_C / np.maximum(total_C, 1), 1.0)
        chances_K = (
            _discounted(counts_K) / total_C[context_K] + left_C[context_K] * chances_K[level.suffix]
        )
        orders.append(_Order(keys=level.keys, logs=np.log(chances_K), backoff=np.log(left_C)))
    return NgramModel(
        vocab_size=vocab_size,
        unigrams=unigrams,
        orders=tuple(orders),
        tokens=int((tokens.ids != vocab_size).sum()),
    )


@dataclass(frozen=True, kw_only=True)
class _Level:
    """How often each n-gram of one order occurs.

    Attributes:
        keys: As in `_Order`; of single tokens all ids of the vocabulary, and the mark.
        times: Occurrences.
        suffix: Number of the n-gram's last tokens in the order below.
        has_mark: Whether the n-gram begins with the mark, so that nothing can stand before it.
    """

    keys: Int64s
    times: Int64s
    suffix: Int64s
    has_mark: NDArray[np.bool_]


def _count(tokens: _Tokens, vocab_size: int, order: int) -> list[_Level]:
    every = np.arange(vocab_size + 1)
    levels = [
        _Level(
            keys=every,
            times=np.bincount(tokens.ids, minlength=vocab_size + 1),
            suffix=every,
            has_mark=every == vocab_size,
        )
    ]
    lower_T = tokens.ids
    for length in range(2, order + 1):
        (ends,) = np.nonzero(tokens.depth >= length - 1)
        keys = lower_T[ends - 1] * (vocab_size + 1) + tokens.ids[ends]
        keys_K, first_K, number, times_K = np.unique(
            keys, return_index=True, return_inverse=True, return_counts=True
        )
        end_K = ends[first_K]
        levels.append(
            _Level(
                keys=keys_K,
                times=times_K,
                suffix=lower_T[end_K],
                has_mark=tokens.ids[end_K - length + 1] == vocab_size,
            )
        )
        lower_T = np.full(len(lower_T), _UNSEEN)
        lower_T[ends] = number
    return levels


def _continuations(low: _Level, high: _Level) -> Int64s:
    """In how many n-grams of one token more each n-gram is the end; its occurrences behind no token."""
    before_K = np.bincount(high.suffix, minlength=len(low.keys))
    # The first tokens of a run that does not begin a document have unknown ones before them.
    before_K = np.maximum(before_K, np.minimum(low.times, 1))
    return np.where(low.has_mark, low.times, before_K)


def _taken(counts_K: Int64s) -> Floats:
    """What each count gives away to unseen tokens: by whether it is one, two or more."""
    once, twice, thrice, fourth = (int((counts_K == number).sum()) for number in (1, 2, 3, 4))
    discounts = _FALLBACK
    if once and twice and thrice:
        share = once / (once + 2 * twice)
        estimated = (
            1 - 2 * share * twice / once,
            2 - 3 * share * thrice / twice,
            3 - 4 * share * fourth / thrice,
        )
        if all(0 < value < count for value, count in zip(estimated, (1, 2, 3), strict=True)):
            discounts = estimated
    return np.array([0.0, *discounts])[np.minimum(counts_K, 3)]


def _discounted(counts_K: Int64s) -> Floats:
    return np.asarray(counts_K - _taken(counts_K), np.float64)


def _before(numbers_T: Int64s, depth_T: Int64s) -> Int64s:
    """What stands one token before each; `_UNSEEN` where a run begins."""
    return np.where(depth_T > 0, np.roll(numbers_T, 1), _UNSEEN)


def _joined(runs: Iterable[TokenRun], vocab_size: int) -> _Tokens:
    parts = []
    for run in runs:
        ids = np.asarray(run.ids, dtype=np.int64)
        if len(ids) and not (ids.min() >= 0 and ids.max() < vocab_size):
            raise ContractError(
                f"token ids from {ids.min()} to {ids.max()}: expected 0 to {vocab_size - 1}; another "
                "tokenizer made them"
            )
        parts.append(np.concatenate([[vocab_size], ids]) if run.is_start else ids)
    lengths = np.array([len(part) for part in parts], dtype=np.int64)
    if not lengths.sum():
        raise ContractError("no token to count n-grams of; expected a split with text")
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return _Tokens(
        ids=np.concatenate(parts).astype(np.int64),
        depth=np.arange(lengths.sum()) - first,
        run=np.repeat(np.arange(len(parts)), lengths),
    )


def training_runs(data: SplitReader, *, most_tokens: int = MOST_TOKENS) -> Iterator[TokenRun]:
    """The pieces of documents of the rows, in the split's order, until so many tokens are read."""
    read = 0
    for start in range(0, data.num_rows, _ROWS_AT_ONCE):
        rows = data.read(np.arange(start, min(start + _ROWS_AT_ONCE, data.num_rows)))
        for index, row in enumerate(rows.segment_row.tolist()):
            begin = int(rows.segment_start[index])
            ids = rows.input_ids[row, begin : begin + int(rows.segment_length[index])]
            yield TokenRun(
                ids=ids,
                is_start=rows.document_start is not None and not rows.document_start[index],
            )
            read += len(ids)
        if read >= most_tokens:
            return
