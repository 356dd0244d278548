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
        rows: [C, G] features of the cuts: those of the page, its facts, those of each cut.
        best: Index in `order` of the last block kept by the cut of highest expected F1.
    """

    order: NDArray[np.int64]
    lasts: NDArray[np.int64]
    rows: NDArray[np.float32]
    best: int


@dataclass(frozen=True)
class _Ranking:
    """Blocks in falling order of probability; `expected` and `kept` are running sums over them.

    Attributes:
        p: [N] probability that the block is content.
        w: [N] words of the block.
        expected: [N] content words expected among the blocks down to each.
        kept: [N] words of the blocks down to each.
        content: Content words expected on the whole page.
        f1: [N] expected F1 of keeping the blocks down to each.
        best: Index of the highest expected F1.
    """

    p: Floats
    w: Floats
    expected: Floats
    kept: Floats
    content: float
    f1: Floats
    best: int

    @classmethod
    def of(cls, p: Floats, w: Floats) -> _Ranking:
        """F1 of the first k blocks is about 2 sum(p w) / (sum(w) + W), with all content words W."""
        expected, kept = np.cumsum(p * w), np.cumsum(w)
        content = max(float(expected[-1]), 1e-9)
        f1 = 2 * expected / (kept + content)
        return cls(p, w, expected, kept, content, f1, int(np.argmax(f1)))

    def lasts(self) -> NDArray[np.int64]:
        """[C] the cuts worth trying: one per bound, the best one, and the ends of those near it."""
        by_bound = np.maximum(np.searchsorted(-self.p, -_BOUNDS, "right") - 1, 0)
        chosen = {self.best, *by_bound.tolist()}
        for share in _NEARLY_BEST:
            near = np.flatnonzero(self.f1 >= self.f1[self.best] * share)
            chosen |= {int(near[0]), int(near[-1])}
        return np.array(sorted(chosen))

    def page_features(self) -> dict[CutPageRow, float]:
        p, w, total = self.p, self.w, self.kept[-1]
        doubt = -(p * np.log(p + 1e-9) + (1 - p) * np.log(1 - p + 1e-9))
        return {
            CutPageRow.LOG_BLOCKS: np.log1p(len(w)),
            CutPageRow.LOG_WORDS: np.log1p(total),
            CutPageRow.CONTENT_FRACTION: self.content / total,
            CutPageRow.DOUBT: doubt @ w / total,
            CutPageRow.BEST_F1: self.f1[self.best],
            CutPageRow.BEST_KEPT_FRACTION: self.kept[self.best] / total,
            CutPageRow.LIKELY_FRACTION: w[p > 0.5].sum() / total,
            CutPageRow.UNSURE_FRACTION: w[(p > 0.2) & (p < 0.8)].sum() / total,
            CutPageRow.HIGHEST_PROBABILITY: p[0],
        }

    def cut_features(self, lasts: NDArray[np.int64]) -> dict[CutRow, Floats]:
        kept, expected = self.kept[lasts], self.expected[lasts]
        return {
            CutRow.LAST_PROBABILITY: self.p[lasts],
            CutRow.NEXT_PROBABILITY: np.append(self.p, 0)[lasts + 1],
            CutRow.F1_BELOW_BEST: self.f1[lasts] - self.f1[self.best],
            CutRow.RECALL: expected / self.content,
            CutRow.KEPT_FRACTION: kept / self.kept[-1],
            CutRow.PRECISION: expected / kept,
            CutRow.LOG_KEPT_WORDS: np.log1p(kept),
            CutRow.LAST_FRACTION: lasts / len(self.w),
            CutRow.KEPT_TO_BEST: kept / self.kept[self.best],
            CutRow.BLOCKS_BEYOND_BEST: (lasts - self.best).astype(np.float64),
        }


def propose_cuts(
    probability: NDArray[np.float32], words: NDArray[np.float32], facts: tuple[float, ...]
) -> Cuts:
    """Choose the cuts worth trying, and compute the features of each; `facts` are of the page."""
    order = np.argsort(-probability, kind="stable")
    ranking = _Ranking.of(probability[order].astype(np.float64), words[order].astype(np.float64))
    lasts = ranking.lasts()
    first_of_cut = len(CutPageRow) + len(facts)
    rows = np.empty((len(lasts), first_of_cut + len(CutRow)), np.float32)
    for page_row, value in ranking.page_features().items():
        rows[:, page_row] = value
    rows[:, len(CutPageRow) : first_of_cut] = facts
    for cut_row, values in ranking.cut_features(lasts).items():
        rows[:, first_of_cut + cut_row] = values
    return Cuts(order, lasts, rows, ranking.best)


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
        last = int(cuts.lasts[np.argmax(judge.score(cuts.rows))])
    chosen = np.zeros(len(words), np.bool_)
    chosen[cuts.order[: last + 1]] = True
    return chosen
