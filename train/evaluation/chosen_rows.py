"""Which rows of the held-out split are read where not all of them are.

Shapes: N rows, O sources, K strata.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]


def choose_rows(tokens_NO: Int64s, max_rows: int) -> Int64s:
    """Row numbers, ascending: from every source its share, evenly spread; nothing is drawn.

    A row belongs to the rarest source that it holds tokens of, so that small sources are seen too.
    Each stratum gives rows by its size (largest remainder), but at least one; with fewer rows than
    strata, the largest strata give one each.
    """
    rows = len(tokens_NO)
    if max_rows >= rows:
        return np.arange(rows, dtype=np.int64)
    totals = tokens_NO.sum(0)
    rarity = np.where(tokens_NO > 0, totals, np.iinfo(np.int64).max)
    members = [np.flatnonzero(rarity.argmin(1) == source) for source in range(len(totals))]
    strata = [stratum for stratum in members if len(stratum)]
    shares = _shares(np.array([len(stratum) for stratum in strata]), max_rows)
    chosen = [
        stratum[(2 * np.arange(count) + 1) * len(stratum) // (2 * count)]
        for stratum, count in zip(strata, shares.tolist(), strict=True)
        if count
    ]
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def _shares(sizes_K: Int64s, total: int) -> Int64s:
    """How many of `total` rows each stratum gives; ties go to the larger, then to the earlier one."""
    by_size = np.argsort(-sizes_K, kind="stable")
    shares = np.zeros_like(sizes_K)
    if total <= len(sizes_K):
        shares[by_size[:total]] = 1
        return shares
    spare = total - len(sizes_K)
    wanted = (sizes_K - 1) * spare / max(int((sizes_K - 1).sum()), 1)
    shares = 1 + np.floor(wanted).astype(np.int64)
    for index in np.argsort(-(wanted - np.floor(wanted)), kind="stable"):
        if shares.sum() < total and shares[index] < sizes_K[index]:
            shares[index] += 1
    return shares
