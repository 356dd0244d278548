"""GPT-3's sampling by score: a document stays if a Pareto draw exceeds one minus its score.

Source: Brown et al. 2020, appendix A, `np.random.pareto(alpha) > 1 - score` with alpha 9. The draw
here is a function of the document's id and a seed, so it is the same on every machine and in every
order. numpy's `pareto` is the Lomax distribution: P(draw > x) = (1 + x) ** -alpha, so a document of
score s stays with probability (2 - s) ** -alpha.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from refinery.quality.config import ParetoConfig
from refinery.text_batch import mix

PARETO = "pareto:"

Floats = NDArray[np.float64]


def head_sampled(head: str) -> str:
    """The reason that sampling by a head's score gives."""
    return PARETO + head


def pareto_draws(doc_ids: Sequence[str], config: ParetoConfig) -> Floats:
    """[D] draws; ids are hexadecimal hashes."""
    ids = np.array([int(doc_id[:16], 16) for doc_id in doc_ids], np.uint64)
    seed = mix(np.array([config.seed % 2**64], np.uint64) + np.uint64(1))
    uniform = ((mix(ids ^ seed) >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return np.asarray(uniform ** (-1.0 / config.alpha) - 1.0)


def is_sampled_out(
    scores: Floats, doc_ids: Sequence[str], config: ParetoConfig
) -> NDArray[np.bool_]:
    """[D] whether each document leaves."""
    return np.asarray(pareto_draws(doc_ids, config) <= 1.0 - scores)
