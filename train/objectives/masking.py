"""Which tokens BERT predicts, and what it reads instead.

Source: google-research/bert, create_pretraining_data.py.

Shapes: B rows, T tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schemas.manifest import SpecialIds
from train.objectives.noise import Ids, Mask
from train.objectives.randomness import Index, smallest, sort_keys, uniform
from train.objectives.tokens import Tokens


@dataclass(frozen=True, kw_only=True)
class Masking:
    """Chooses the tokens to predict, and what the model reads for them; shares as in `MaskedConfig`."""

    rate: float
    masked_fraction: float
    random_fraction: float
    special: SpecialIds
    vocab_size: int

    def chosen(self, seed: int, index: Index, tokens: Tokens, words: Mask | None) -> Mask:
        """Tokens to predict: `rate` of all tokens, at least one, never a special token.

        Args:
            seed: Seed of the run.
            index: Sample index [B] of each row.
            tokens: Tokens of the rows.
            words: True [B, T] where a word begins; None: single tokens are chosen.
        """
        eligible = tokens.real & ~self._is_special(tokens.ids)
        wanted = np.maximum(1, np.rint(tokens.counts * self.rate).astype(np.int64))
        keys = sort_keys(seed, index, tokens.ids.shape[1], stream="masked")
        if words is None:
            return smallest(keys, wanted, eligible)
        return _whole_words(keys, wanted, eligible, words)

    def read(self, seed: int, index: Index, tokens: Tokens, chosen: Mask) -> Ids:
        """[B, T] inputs: chosen tokens masked, replaced by random ones, or kept."""
        assert self.special.mask is not None  # build_objective refuses tokenizers without it
        row, column = np.nonzero(chosen)
        width = tokens.ids.shape[1]
        kind = uniform(seed, index, width, stream="masked or not")[row, column]
        other = uniform(seed, index, width, stream="masked random")[row, column]
        ids = tokens.ids.copy()
        replaced = np.where(
            kind < self.masked_fraction, self.special.mask, (other * self.vocab_size).astype(int)
        )
        ids[row, column] = np.where(
            kind < self.masked_fraction + self.random_fraction, replaced, ids[row, column]
        )
        return ids

    def _is_special(self, ids: Ids) -> Mask:
        special = self.special
        table = np.zeros(max(self.vocab_size, int(ids.max(initial=0)) + 1), np.bool_)
        marks = (special.pad, special.eos, special.bos, special.cls, special.sep, special.mask)
        table[[mark for mark in marks if mark is not None]] = True
        return table[ids]


def _whole_words(keys: np.ndarray, wanted: Ids, eligible: Mask, words: Mask) -> Mask:
    """Choose words in the order of their keys, leaving out those that would exceed `wanted`.

    This is the loop of BERT's create_pretraining_data.py for all rows at once: each round takes the
    longest run of words that fit, then drops the words that are too long for what is left.
    """
    begins = eligible & words
    begins[:, 1:] |= eligible[:, 1:] & ~eligible[:, :-1]
    begins[:, 0] |= eligible[:, 0]
    word = np.where(eligible, np.cumsum(begins, axis=1) - 1, -1)
    num_words = max(int(begins.sum(1).max(initial=0)), 1)
    rows = np.arange(len(keys))
    lengths = np.zeros((len(keys), num_words), np.int64)
    np.add.at(lengths, (np.nonzero(eligible)[0], word[eligible]), 1)
    word_keys = np.full((len(keys), num_words), np.iinfo(np.uint64).max)
    word_keys[np.nonzero(begins)[0], word[begins]] = keys[begins]
    order = np.argsort(word_keys, axis=1, kind="stable")
    lengths = np.take_along_axis(lengths, order, axis=1)
    taken = np.zeros_like(lengths, np.bool_)
    left = wanted.copy()
    open_words = lengths > 0
    while (fits := open_words & (lengths <= left[:, None])).any():
        open_words = fits
        sums = np.cumsum(np.where(fits, lengths, 0), axis=1)
        new = fits & (sums <= left[:, None])
        taken |= new
        open_words &= ~new
        left -= np.where(new, lengths, 0).sum(1)
    # Where every word of a row is longer than `wanted`, the first word in that order is predicted.
    none = ~taken.any(1) & (lengths[:, 0] > 0)
    taken[none, 0] = True
    chosen_word = np.zeros_like(taken)
    chosen_word[rows[:, None], order] = taken
    return eligible & chosen_word[rows[:, None], np.maximum(word, 0)]
