"""How many of a page's blocks to keep, most likely ones first.

A few cuts are tried: fixed probabilities, the one of highest expected F1 and those near it. Small
trees, trained on pages whose blocks were judged by models that had not seen them, foretell how much
each cut gains over the expected-best one. Shapes: N blocks, C cuts, G features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.extract.forest import Forest

Floats = NDArray[np.float64]

_BOUNDS = np.array(
    [0.9, 0.8, 0.7, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0.02]
)
_NEARLY_BEST = (0.97, 0.94, 0.9)


@dataclass(frozen=True)
class Cuts:
    """Blocks in falling order of probability [N]; after which of them to cut [C]; features [G, C].

    `best` is the cut of highest expected F1.
    """

    order: NDArray[np.int64]
    lasts: NDArray[np.int64]
    columns: NDArray[np.float32]
    best: int


def propose_cuts(
    probability: NDArray[np.float32], words: NDArray[np.float32], facts: tuple[float, ...]
) -> Cuts:
    """The cuts worth trying, and what is known of each; `facts` are of the page.

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
    page = [
        np.log1p(len(w)), np.log1p(total), content / total, doubt @ w / total, f1[best],
        kept[best] / total, w[p > 0.5].sum() / total, w[(p > 0.2) & (p < 0.8)].sum() / total, p[0],
        *facts,
    ]  # fmt: skip
    of_cut = [
        p[lasts], np.append(p, 0)[lasts + 1], f1[lasts] - f1[best], expected[lasts] / content,
        kept[lasts] / total, expected[lasts] / kept[lasts], np.log1p(kept[lasts]),
        lasts / len(w), kept[lasts] / kept[best], lasts - best,
    ]  # fmt: skip
    columns = np.empty((len(page) + len(of_cut), len(lasts)), np.float32)
    columns[: len(page)] = np.array(page)[:, None]
    for place, values in enumerate(of_cut, len(page)):
        columns[place] = values
    return Cuts(order, lasts, columns, best)


def choose_cut(
    probability: NDArray[np.float32],
    words: NDArray[np.float32],
    facts: tuple[float, ...],
    judge: Forest | None,
) -> NDArray[np.bool_]:
    """The blocks to keep; without a judge those of the highest expected F1."""
    cuts = propose_cuts(probability, words, facts)
    last = cuts.best
    if judge is not None:
        last = int(cuts.lasts[np.argmax(judge.score(cuts.columns))])
    chosen = np.zeros(len(words), np.bool_)
    chosen[cuts.order[: last + 1]] = True
    return chosen
