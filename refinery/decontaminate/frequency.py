"""Frequent n-grams leave the search: licences, quotations and boilerplate are no leak.

They are counted after deduplication, by documents of a source. An item never loses its last n-gram:
its rarest one stays, so an item that leaked into many documents is still found in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from refinery.decontaminate.index import BenchmarkIndex


@dataclass(frozen=True)
class Frequent:
    """Which frequent n-grams the search ignores, and which it keeps all the same.

    Attributes:
        ignored: Hashes of those that matches no longer count by.
        last: Item -> the frequent n-gram that stays, because the item has no rarer one.
    """

    ignored: frozenset[int] = frozenset()
    last: Mapping[int, int] = field(default_factory=dict)


def frequent_to_ignore(index: BenchmarkIndex, documents_by_gram: Mapping[int, int]) -> Frequent:
    """Choose the n-grams to ignore: the frequent ones, unless an item has no rarer one.

    Args:
        index: The n-grams of all items.
        documents_by_gram: n-grams beyond the recipe's bound, with the documents of the source that
            holds most; as many as the index has at most.
    """
    if not documents_by_gram:
        return Frequent()
    items, hashes = index.entries()
    frequent = np.isin(hashes, np.array(list(documents_by_gram), np.int64))
    rare = np.bincount(items[~frequent], minlength=len(index.names))
    at_risk = frequent & (rare[items] == 0)
    last: dict[int, int] = {}
    for item, gram in zip(items[at_risk].tolist(), hashes[at_risk].tolist(), strict=True):
        best = last.setdefault(item, gram)
        if (documents_by_gram[gram], gram) < (documents_by_gram[best], best):
            last[item] = gram
    return Frequent(frozenset(documents_by_gram) - frozenset(last.values()), last)
