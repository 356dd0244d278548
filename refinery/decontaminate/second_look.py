"""A second look at hits: a text holds an item only by a run of n *words* of it, or by half of it.

The n of Brown et al. 2020 counts words. A token of a script without blanks is a character (Han, kana) or
a letter with its marks (Thai), so thirteen of them are four to eight words: a stock phrase of a manual.
Runs of n tokens stay what is searched for, so that an item with a changed word is found by both of its
halves; whether these are the item, or n words of it, is asked here. Words of spaced scripts are tokens:
to English the second look never says no.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from refinery.decontaminate.spans import joined_spans
from refinery.text.batch import CJK, KIND, UNSPACED, Indices, TextBatch
from refinery.text.boundaries import count_han_words

# The share of an item's tokens by which a text holds it, however few words they are. Items of a benchmark
# whose n is below thirteen are short: a third of one is more than half of a usual sentence of it.
MIN_HELD, MIN_HELD_OF_SHORT = 0.5, 1 / 3
LONG_NGRAM = 13
# Kana to a word of Japanese, letters with their marks to one of Thai, Lao, Khmer or Burmese: they are
# counted, since nothing that cuts these scripts into words is at hand. Ratios of the running words of
# Debian's manuals, rounded up, so that a run is rather taken for too few words than for too many.
KANA_PER_WORD, LETTERS_PER_WORD = 2.0, 3.0
_HIRAGANA, _LAST_KATAKANA = 0x3041, 0x30FF


class Hit(NamedTuple):
    """A run of tokens that a text and an item share, confirmed word by word.

    Attributes:
        text: Of the batch.
        first: The run's first token in the batch.
        own: The run's first token among those of all items.
    """

    text: int
    item: int
    gram: int
    first: int
    own: int
    tokens: int


def held(
    batch: TextBatch, hits: Sequence[Hit], item_tokens: Indices, words: Mapping[int, int]
) -> Iterator[Hit]:
    """The hits of items that their texts hold.

    Args:
        batch: The texts.
        hits: All hits in them.
        item_tokens: [I] tokens of each item.
        words: By item: words of a run that is enough.
    """
    by_pair: dict[tuple[int, int], list[Hit]] = defaultdict(list)
    for hit in hits:
        by_pair[hit.text, hit.item].append(hit)
    for (_, item), own in by_pair.items():
        covered = joined_spans([(hit.own, hit.own + hit.tokens) for hit in own])
        share = sum(last - first for first, last in covered) / item_tokens[item]
        least = MIN_HELD if words[item] >= LONG_NGRAM else min(MIN_HELD, MIN_HELD_OF_SHORT)
        if share >= least or _has_run(batch, own, words[item]):
            yield from own


def _has_run(batch: TextBatch, hits: Sequence[Hit], words: int) -> bool:
    runs = joined_spans([(hit.first, hit.first + hit.tokens) for hit in hits])
    return any(count_words(batch, first, last) >= words for first, last in runs)


def count_words(batch: TextBatch, first: int, last: int) -> float:
    """Words of the tokens [first, last) of one text.

    Han is cut by jieba's dictionary, kana and scripts like Thai are counted by their usual length.
    """
    heads = batch.token_starts[first:last]
    classes, codes = batch.classes[heads], batch.codes[heads]
    is_cjk, is_unspaced = classes & KIND == CJK, classes & UNSPACED != 0
    is_kana = is_cjk & (codes >= _HIRAGANA) & (codes <= _LAST_KATAKANA)
    num_spaced = len(heads) - int(is_cjk.sum()) - int(is_unspaced.sum())
    num_han = 0
    if is_cjk.sum() > is_kana.sum():
        span = batch.codes[batch.token_starts[first] : batch.token_ends[last - 1]]
        num_han = count_han_words(str(span.astype("<u4").tobytes().decode("utf-32-le")))
    unspaced = np.sum(is_kana) / KANA_PER_WORD + np.sum(is_unspaced) / LETTERS_PER_WORD
    return float(num_spaced + num_han + unspaced)
