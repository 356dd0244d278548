"""Frequent n-grams leave the search: licences, quotations and boilerplate are no leak.

They are counted after deduplication, by documents of a source. An item never loses its last n-gram:
its rarest one stays, so an item that leaked into many documents is still found in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from refinery.decontaminate.index import BenchmarkIndex


def frequent_to_ignore(index: BenchmarkIndex, documents_by_gram: Mapping[int, int]) -> set[int]:
    """Hashes to ignore.

    Args:
        index: The index.
        documents_by_gram: n-grams beyond the recipe's bound, with the documents of the source that
            holds most; as many as the index has at most.
    """
    if not documents_by_gram:
        return set()
    items, hashes = index.entries()
    frequent = np.isin(hashes, np.array(list(documents_by_gram), np.int64))
    rare = np.bincount(items[~frequent], minlength=len(index.items))
    at_risk = frequent & (rare[items] == 0)
    last: dict[int, int] = {}
    for item, gram in zip(items[at_risk].tolist(), hashes[at_risk].tolist(), strict=True):
        best = last.setdefault(item, gram)
        if (documents_by_gram[gram], gram) < (documents_by_gram[best], best):
            last[item] = gram
    return set(documents_by_gram) - set(last.values())
