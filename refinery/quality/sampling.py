"""Decide which documents stay by their score: a Pareto draw as for GPT-3, or the best of a group.

GPT-3: a document stays if a Pareto draw exceeds one minus its score. Source: Brown et al. 2020, appendix A, `np.random.pareto(alpha) > 1 - score` with alpha 9. The draw
here is a function of the document's id and a seed, so it is the same on every machine and in every
order. numpy's `pareto` is the Lomax distribution: P(draw > x) = (1 + x) ** -alpha, so a document of
score s stays with probability (2 - s) ** -alpha.

The best share: of n documents the first ceil(fraction * n) in the order of falling scores, equal
ones by id, stay. Scores have six decimals, so equal scores are common and the order is total.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from refinery.quality.config import ParetoConfig
from refinery.text.hashing import mix_all

Floats = NDArray[np.float64]


def num_best(fraction: float, num_documents: int) -> int:
    """How many of a group stay; decimal fractions count as written (0.07 of 100 is 7, not 8)."""
    return math.ceil(round(fraction * num_documents, 6))


def best_border(scores: Floats, ids: NDArray[np.uint64], fraction: float) -> tuple[float, int]:
    """Score and id of the last document that stays, of a group that is not empty."""
    last = np.lexsort((ids, -scores))[num_best(fraction, len(scores)) - 1]
    return float(scores[last]), int(ids[last])


def is_beyond(
    scores: Floats, ids: NDArray[np.uint64], border: tuple[float, int]
) -> NDArray[np.bool_]:
    """[D] whether each document comes after the border."""
    score, last_id = border
    return np.asarray((scores < score) | ((scores == score) & (ids > np.uint64(last_id))))


def id_numbers(doc_ids: Sequence[str]) -> NDArray[np.uint64]:
    """[D] the first 64 bits of each hexadecimal id."""
    return np.array([int(doc_id[:16], 16) for doc_id in doc_ids], np.uint64)


def pareto_draws(doc_ids: Sequence[str], config: ParetoConfig) -> Floats:
    """[D] a draw from Lomax's distribution for each id, which depends on the id and the seed alone."""
    ids = id_numbers(doc_ids)
    seed = mix_all(np.array([config.seed % 2**64], np.uint64) + np.uint64(1))
    uniform = ((mix_all(ids ^ seed) >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return np.asarray(uniform ** (-1.0 / config.alpha) - 1.0)


def is_sampled_out(
    scores: Floats, doc_ids: Sequence[str], config: ParetoConfig
) -> NDArray[np.bool_]:
    """[D] whether sampling leaves each document out."""
    return np.asarray(pareto_draws(doc_ids, config) <= 1.0 - scores)
