"""Decide how many of a page's blocks to keep, the most likely ones first.

A cut keeps all blocks down to one of them, in falling order of probability. A few are tried: at
fixed probabilities, the one of highest expected F1 and those near it. Small trees, trained on pages
whose blocks were judged by models that had not seen them, foretell how much each cut gains over the
one of highest expected F1.
Shapes: N blocks, C cuts, G features of a cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.extract.feature_rows import CutPageRow, CutRow
from refinery.extract.forest import Forest

Floats = NDArray[np.float64]

_BOUNDS = np.array(
    [0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0.02]
)
_NEARLY_BEST = (0.97, 0.94, 0.9)


@dataclass(frozen=True)
class Cuts:
    """Cuts of a page, those that keep less first.

    Attributes:
        order: [N] blocks in falling order of probability.
        lasts: [C] index in `order` of the last block that each cut keeps.
        columns: [G, C] features.
        best: Index in `order` of the last block kept by the cut of highest expected F1.
    """

    order: NDArray[np.int64]
    lasts: NDArray[np.int64]
    columns: NDArray[np.float32]
    best: int


def propose_cuts(
    probability: NDArray[np.float32], words: NDArray[np.float32], facts: tuple[float, ...]
) -> Cuts:
    """Choose the cuts worth trying, and compute the features of each; `facts` are of the page.

    F1 of the first k blocks is about 2 sum(p w) / (sum(w) + W), W being all expected content words.
    """
    order = np.argsort(-probability, kind="stable")
    p, w = probability[order].astype(np.float64), words[order].astype(np.float64)
    expected, kept = np.cumsum(p * w), np.cumsum(w)
    total, content = kept[-1], max(float(expected[-1]), 1e-9)
    f1 = 2 * expected / (kept + content)
    best = int(np.argmax(f1))
    by_bound = np.maximum(np.searchsorted(-p, -_BOUNDS, "right") - 1, 0)
    chosen = {best, *by_bound.tolist()}
    for share in _NEARLY_BEST:
        near = np.flatnonzero(f1 >= f1[best] * share)
        chosen |= {int(near[0]), int(near[-1])}
    lasts = np.array(sorted(chosen))
    doubt = -(p * np.log(p + 1e-9) + (1 - p) * np.log(1 - p + 1e-9))
    of_page = {
        CutPageRow.LOG_BLOCKS: np.log1p(len(w)),
        CutPageRow.LOG_WORDS: np.log1p(total),
        CutPageRow.CONTENT_FRACTION: content / total,
        CutPageRow.DOUBT: doubt @ w / total,
        CutPageRow.BEST_F1: f1[best],
        CutPageRow.BEST_KEPT_FRACTION: kept[best] / total,
        CutPageRow.LIKELY_FRACTION: w[p > 0.5].sum() / total,
        CutPageRow.UNSURE_FRACTION: w[(p > 0.2) & (p < 0.8)].sum() / total,
        CutPageRow.HIGHEST_PROBABILITY: p[0],
    }
    of_cut = {
        CutRow.LAST_PROBABILITY: p[lasts],
        CutRow.NEXT_PROBABILITY: np.append(p, 0)[lasts + 1],
        CutRow.F1_BELOW_BEST: f1[lasts] - f1[best],
        CutRow.RECALL: expected[lasts] / content,
        CutRow.KEPT_FRACTION: kept[lasts] / total,
        CutRow.PRECISION: expected[lasts] / kept[lasts],
        CutRow.LOG_KEPT_WORDS: np.log1p(kept[lasts]),
        CutRow.LAST_FRACTION: lasts / len(w),
        CutRow.KEPT_TO_BEST: kept[lasts] / kept[best],
        CutRow.BLOCKS_BEYOND_BEST: lasts - best,
    }
    first_of_cut = len(CutPageRow) + len(facts)
    columns = np.empty((first_of_cut + len(CutRow), len(lasts)), np.float32)
    for page_row, value in of_page.items():
        columns[page_row] = value
    columns[len(CutPageRow) : first_of_cut] = np.array(facts)[:, None]
    for cut_row, values in of_cut.items():
        columns[first_of_cut + cut_row] = values
    return Cuts(order, lasts, columns, best)


def choose_cut(
    probability: NDArray[np.float32],
    words: NDArray[np.float32],
    facts: tuple[float, ...],
    judge: Forest | None,
) -> NDArray[np.bool_]:
    """Whether to keep each block [N]; without a judge those of the highest expected F1."""
    cuts = propose_cuts(probability, words, facts)
    last = cuts.best
    if judge is not None:
        last = int(cuts.lasts[np.argmax(judge.score(cuts.columns))])
    chosen = np.zeros(len(words), np.bool_)
    chosen[cuts.order[: last + 1]] = True
    return chosen
