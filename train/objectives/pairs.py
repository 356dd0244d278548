"""Sentence pairs: rows of pairs from the shards, or rows of sentences that are cut and swapped.

Shapes: B rows, T tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas.manifest import SpecialIds
from train.batch.batch import NO_LABEL
from train.data.packed import PackedRows
from train.objectives.noise import Ids, Mask
from train.objectives.randomness import bits, uniform
from train.objectives.tokens import Tokens, empty_tokens, row_tokens

SPECIAL_TOKENS_OF_A_PAIR = 3  # [CLS] first [SEP] second [SEP]


@dataclass(frozen=True)
class Paired:
    """Rows of [CLS] first [SEP] second [SEP].

    Attributes:
        tokens: The rows, each as one document, so that both halves attend to each other.
        types: 1 [B, T] for the second half and its [SEP], 0 elsewhere.
        labels: 1 [B] where the second half does not follow the first, NO_LABEL without a pair.
        words: True [B, T] where a word begins; None where the rows do not say.
    """

    tokens: Tokens
    types: Ids
    labels: Ids
    words: Mask | None


def next_sentence(rows: PackedRows) -> Paired:
    """Pairs from rows that were packed as pairs (layout `next_sentence`)."""
    row_as_packed = row_tokens(rows)
    columns = np.arange(row_as_packed.ids.shape[1])
    # Special tokens belong to no segment; the last [SEP] follows the last token of the second half.
    last = row_as_packed.ids.shape[1] - np.argmax(row_as_packed.real[:, ::-1], axis=1)
    real = columns <= last[:, None]
    segment = _filled(row_as_packed.segment, real)
    tokens = Tokens(row_as_packed.ids, real.astype(np.int64), segment)
    second = columns >= rows.extra["segment_b_start"][:, None]
    labels = 1 - rows.extra["is_next"].astype(np.int64)
    words = rows.extra.get("word_starts")
    return Paired(tokens, (second & real).astype(np.int64), labels, words)


def sentence_order(rows: PackedRows, special: SpecialIds, *, seed: int) -> Paired:
    """Pairs from rows of sentences (layout `sentences`): cut at a sentence, half of them swapped.

    Source: Lan et al. 2020 (ALBERT), section 3.1. A row of one sentence is no pair.
    """
    assert special.cls is not None  # build_objective refuses it
    assert special.sep is not None
    tokens = row_tokens(rows)
    counts, width = tokens.counts, tokens.ids.shape[1]
    starts = rows.extra["sentence_starts"].astype(np.bool_) & tokens.real
    starts[:, 0] = False
    num_starts = starts.sum(1)
    draws = uniform(seed, rows.sample_index, 1, stream="sentence cut")[:, 0]
    wanted = (draws * num_starts).astype(np.int64)
    number = np.cumsum(starts, axis=1) - 1
    cut = np.argmax(starts & (number == wanted[:, None]), axis=1)
    is_pair = num_starts > 0
    cut = np.where(is_pair, cut, counts)
    swapped = (bits(seed, rows.sample_index, 1, stream="swapped")[:, 0] >> np.uint64(63)) == 1
    swapped &= is_pair
    columns = np.arange(width)
    # Where each token goes: behind [CLS], or behind the other half and its [SEP].
    is_second = columns >= cut[:, None]
    first_length = np.where(swapped, counts - cut, cut)
    offset = np.where(is_second != swapped[:, None], first_length[:, None] + 2, 1)
    target = np.where(is_second, columns - cut[:, None], columns) + offset
    made = empty_tokens(len(counts), width, pad=special.pad)
    row, column = np.nonzero(tokens.real)
    to = target[row, column]
    made.ids[row, to] = tokens.ids[row, column]
    made.segment[row, to] = tokens.segment[row, column]
    words = rows.extra.get("word_starts")
    moved: Mask | None = None
    if words is not None:
        moved = np.zeros(made.ids.shape, np.bool_)
        moved[row, to] = words[row, column]
    rows_all = np.arange(len(counts))
    end = counts + np.where(is_pair, 2, 1)
    made.ids[:, 0] = special.cls
    made.ids[rows_all[is_pair], first_length[is_pair] + 1] = special.sep
    made.ids[rows_all, end] = special.sep
    real = columns <= end[:, None]
    types = (columns >= first_length[:, None] + 2) & real & is_pair[:, None]
    whole = Tokens(made.ids, real.astype(np.int64), _filled(made.segment, real))
    labels = np.where(is_pair, swapped.astype(np.int64), NO_LABEL)
    return Paired(whole, types.astype(np.int64), labels, moved)


def _filled(segment: Ids, real: Mask) -> Ids:
    """Give special tokens the segment before them, and the first one the segment after it."""
    filled = np.maximum.accumulate(segment, axis=1)
    first = segment[np.arange(len(segment)), np.argmax(segment >= 0, axis=1)]
    return np.where(real, np.where(filled < 0, first[:, None], filled), -1)
