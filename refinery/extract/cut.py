"""Decide how many of a page's blocks to keep, the most likely ones first.

A cut keeps all blocks down to one of them, in falling order of probability. A few are tried: at
fixed probabilities, the one of highest expected F1 and those near it. Small trees, trained on pages
whose blocks were judged by models that had not seen them, foretell how much each cut gains over the
one of highest expected F1.
Shapes: N blocks, C cuts, G features of a cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, Matrix, bare_kernel
from refinery.extract.feature_rows import CutPageRow, CutRow
from refinery.extract.forest import Forest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Features = NDArray[np.float32]

_BOUNDS = np.array(
    [0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0.02]
)
# Cuts near the best one begin and end where expected F1 is at least these shares of the highest.
_NEARLY_BEST = np.array([0.97, 0.94, 0.9])
_LEAST = 1e-9
_NUM_PAGE_ROWS, _NUM_CUT_ROWS = len(CutPageRow), len(CutRow)

(_LOG_BLOCKS, _LOG_WORDS, _CONTENT_FRACTION, _DOUBT, _BEST_F1, _BEST_KEPT_FRACTION, _LIKELY_FRACTION,
 _UNSURE_FRACTION, _HIGHEST_PROBABILITY) = map(int, CutPageRow)  # fmt: skip
(_LAST_PROBABILITY, _NEXT_PROBABILITY, _F1_BELOW_BEST, _RECALL, _KEPT_FRACTION, _PRECISION,
 _LOG_KEPT_WORDS, _LAST_FRACTION, _KEPT_TO_BEST, _BLOCKS_BEYOND_BEST) = map(int, CutRow)  # fmt: skip


@dataclass(frozen=True)
class Cuts:
    """Cuts of a page, those that keep less first.

    Attributes:
        order: [N] blocks in falling order of probability.
        lasts: [C] index in `order` of the last block that each cut keeps.
        rows: [C, G] features of the cuts: those of the page, its facts, those of each cut.
        best: Index in `order` of the last block kept by the cut of highest expected F1.
    """

    order: Ints
    lasts: Ints
    rows: Features
    best: int


class _Ranking(NamedTuple):
    """Blocks in falling order of probability; `expected` and `kept` are running sums over them.

    Attributes:
        p: [N] probability that the block is content.
        w: [N] words of the block.
        expected: [N] content words expected among the blocks down to each.
        kept: [N] words of the blocks down to each.
        f1: [N] expected F1 of keeping the blocks down to each.
    """

    p: Filled[Floats]
    w: Filled[Floats]
    expected: Filled[Floats]
    kept: Filled[Floats]
    f1: Filled[Floats]


@bare_kernel
def rank_blocks(
    probability_N: Features, words_N: Features, order_N: Ints, ranking: _Ranking
) -> int:
    """Fill the ranking; returns the index of the highest expected F1.

    F1 of the first k blocks is about 2 sum(p w) / (sum(w) + W), with all content words W.
    """
    expected = kept = 0.0
    for k in range(len(order_N)):
        p, w = float(probability_N[order_N[k]]), float(words_N[order_N[k]])
        expected += p * w
        kept += w
        ranking.p[k], ranking.w[k] = p, w
        ranking.expected[k], ranking.kept[k] = expected, kept
    content, best = max(expected, _LEAST), 0
    for k in range(len(order_N)):
        ranking.f1[k] = 2 * ranking.expected[k] / (ranking.kept[k] + content)
        if ranking.f1[k] > ranking.f1[best]:
            best = k
    return best


@bare_kernel
def find_lasts(
    ranking: _Ranking,
    best: int,
    bounds: Floats,
    shares: Floats,
    is_last_N: Filled[NDArray[np.bool_]],
) -> None:
    """Tell the last blocks of the cuts worth trying: one per bound, the best one, the ends of those near it."""
    is_last_N[:] = False
    is_last_N[best] = True
    num, k = len(is_last_N), 0
    for bound in bounds:
        while k < num and ranking.p[k] >= bound:
            k += 1
        is_last_N[max(k - 1, 0)] = True
    for share in shares:
        least = ranking.f1[best] * share
        first, last = best, best
        for i in range(num):
            if ranking.f1[i] >= least:
                first, last = min(first, i), max(last, i)
        is_last_N[first] = is_last_N[last] = True


@bare_kernel
def write_page(ranking: _Ranking, best: int, row_G: Filled[Features]) -> None:
    """Fill what `CutPageRow` names."""
    num = len(ranking.p)
    total, doubt, likely, unsure = ranking.kept[num - 1], 0.0, 0.0, 0.0
    for k in range(num):
        p, w = ranking.p[k], ranking.w[k]
        doubt -= (p * np.log(p + _LEAST) + (1 - p) * np.log(1 - p + _LEAST)) * w
        likely += w if p > 0.5 else 0.0
        unsure += w if p > 0.2 and p < 0.8 else 0.0
    row_G[_LOG_BLOCKS], row_G[_LOG_WORDS] = np.log1p(float(num)), np.log1p(total)
    row_G[_CONTENT_FRACTION] = max(ranking.expected[num - 1], _LEAST) / total
    row_G[_DOUBT], row_G[_BEST_F1] = doubt / total, ranking.f1[best]
    row_G[_BEST_KEPT_FRACTION] = ranking.kept[best] / total
    row_G[_LIKELY_FRACTION], row_G[_UNSURE_FRACTION] = likely / total, unsure / total
    row_G[_HIGHEST_PROBABILITY] = ranking.p[0]


@bare_kernel
def write_cuts(
    ranking: _Ranking, best: int, lasts_C: Ints, first: int, rows_CG: Matrix[Filled[Features]]
) -> None:
    """Fill what `CutRow` names, from column `first` on."""
    num = len(ranking.p)
    content, total = max(ranking.expected[num - 1], _LEAST), ranking.kept[num - 1]
    for cut in range(len(lasts_C)):
        last = lasts_C[cut]
        row, kept, expected = rows_CG[cut], ranking.kept[last], ranking.expected[last]
        row[first + _LAST_PROBABILITY] = ranking.p[last]
        row[first + _NEXT_PROBABILITY] = ranking.p[last + 1] if last + 1 < num else 0.0
        row[first + _F1_BELOW_BEST] = ranking.f1[last] - ranking.f1[best]
        row[first + _RECALL], row[first + _PRECISION] = expected / content, expected / kept
        row[first + _KEPT_FRACTION], row[first + _LOG_KEPT_WORDS] = kept / total, np.log1p(kept)
        row[first + _LAST_FRACTION] = last / num
        row[first + _KEPT_TO_BEST] = kept / ranking.kept[best]
        row[first + _BLOCKS_BEYOND_BEST] = last - best


def propose_cuts(probability: Features, words: Features, facts: tuple[float, ...]) -> Cuts:
    """Choose the cuts worth trying, and compute the features of each; `facts` are of the page."""
    order = np.argsort(-probability, kind="stable")
    ranking = _Ranking(*np.empty((len(_Ranking._fields), len(order))))
    best = rank_blocks(probability, words, order, ranking)
    is_last = np.empty(len(order), np.bool_)
    find_lasts(ranking, best, _BOUNDS, _NEARLY_BEST, is_last)
    lasts = np.flatnonzero(is_last)
    first_of_cut = _NUM_PAGE_ROWS + len(facts)
    page = np.empty(first_of_cut, np.float32)
    write_page(ranking, best, page)
    page[_NUM_PAGE_ROWS:] = facts
    rows = np.empty((len(lasts), first_of_cut + _NUM_CUT_ROWS), np.float32)
    rows[:, :first_of_cut] = page
    write_cuts(ranking, best, lasts, first_of_cut, rows)
    return Cuts(order, lasts, rows, best)


def choose_cut(
    probability: Features, words: Features, facts: tuple[float, ...], judge: Forest | None
) -> NDArray[np.bool_]:
    """Whether to keep each block [N]; without a judge those of the highest expected F1."""
    cuts = propose_cuts(probability, words, facts)
    last = cuts.best
    if judge is not None:
        last = int(cuts.lasts[np.argmax(judge.score(cuts.rows))])
    chosen = np.zeros(len(words), np.bool_)
    chosen[cuts.order[: last + 1]] = True
    return chosen
