"""Cuts and their features, against a plain computation by numpy."""

import numpy as np
import pytest
from numpy.typing import NDArray

from refinery.extract.cut import propose_cuts
from refinery.extract.feature_rows import CutPageRow, CutRow

Floats = NDArray[np.float32]
BOUNDS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0.02)
FACTS = (0.25, 1.0)


def a_page(seed: int) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    num = int(generator.integers(1, 60))
    probability = generator.beta(0.4, 0.4, num).round(2).astype(np.float32)  # many are equal
    return probability, generator.integers(1, 90, num).astype(np.float32)


@pytest.mark.parametrize("seed", range(30))
def test_cuts_are_those_of_a_plain_computation(seed: int) -> None:
    probability, words = a_page(seed)
    order = np.argsort(-probability, kind="stable")
    p, w = probability[order].astype(float), words[order].astype(float)
    expected, kept = np.cumsum(p * w), np.cumsum(w)
    content = max(float(expected[-1]), 1e-9)
    f1 = 2 * expected / (kept + content)
    best = int(np.argmax(f1))
    chosen = {best, *(max(int((p >= bound).sum()) - 1, 0) for bound in BOUNDS)}
    for share in (0.97, 0.94, 0.9):
        near = np.flatnonzero(f1 >= f1[best] * share)
        chosen |= {int(near[0]), int(near[-1])}

    cuts = propose_cuts(probability, words, FACTS)

    lasts = sorted(chosen)
    assert cuts.order.tolist() == order.tolist()
    assert cuts.best == best
    assert cuts.lasts.tolist() == lasts
    doubt = -(p * np.log(p + 1e-9) + (1 - p) * np.log(1 - p + 1e-9))
    of_page = {
        CutPageRow.LOG_BLOCKS: np.log1p(len(w)),
        CutPageRow.LOG_WORDS: np.log1p(w.sum()),
        CutPageRow.CONTENT_FRACTION: content / w.sum(),
        CutPageRow.DOUBT: (doubt * w).sum() / w.sum(),
        CutPageRow.BEST_F1: f1[best],
        CutPageRow.BEST_KEPT_FRACTION: kept[best] / w.sum(),
        CutPageRow.LIKELY_FRACTION: w[p > 0.5].sum() / w.sum(),
        CutPageRow.UNSURE_FRACTION: w[(p > 0.2) & (p < 0.8)].sum() / w.sum(),
        CutPageRow.HIGHEST_PROBABILITY: p[0],
    }
    of_cuts = {
        CutRow.LAST_PROBABILITY: p[lasts],
        CutRow.NEXT_PROBABILITY: np.append(p, 0)[np.array(lasts) + 1],
        CutRow.F1_BELOW_BEST: f1[lasts] - f1[best],
        CutRow.RECALL: expected[lasts] / content,
        CutRow.KEPT_FRACTION: kept[lasts] / w.sum(),
        CutRow.PRECISION: expected[lasts] / kept[lasts],
        CutRow.LOG_KEPT_WORDS: np.log1p(kept[lasts]),
        CutRow.LAST_FRACTION: np.array(lasts) / len(w),
        CutRow.KEPT_TO_BEST: kept[lasts] / kept[best],
        CutRow.BLOCKS_BEYOND_BEST: np.array(lasts) - best,
    }
    assert set(of_page) == set(CutPageRow)
    assert set(of_cuts) == set(CutRow)
    first = len(CutPageRow) + len(FACTS)
    for page_row, value in of_page.items():
        np.testing.assert_allclose(cuts.rows[:, page_row], value, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(cuts.rows[:, len(CutPageRow) : first], [FACTS] * len(lasts))
    for cut_row, values in of_cuts.items():
        np.testing.assert_allclose(cuts.rows[:, first + cut_row], values, rtol=1e-6, atol=1e-7)
