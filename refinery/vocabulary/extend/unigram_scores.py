"""Append pieces to a Unigram model so that each wins against its best split.

By increasing length, score = max(donor's score, best split + 0.001, the base's minimum) plus less
than a hundredth by hash: a longer
piece can take part in no split of a shorter one, so what wins stays the winner. No score lies below
the base's minimum: the unknown token costs minimum - 10, and its decisions must stay what they were.
No two scores are equal: the libraries break ties differently.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from refinery.vocabulary.extend.added_token import AddedToken

MARGIN = 0.001
JITTER = 0.01
UNKNOWN_PENALTY = 10.0


def score_pieces(
    pieces: Sequence[tuple[str, str, float | None]],
    *,
    base_scores: Mapping[str, float],
    characters: Iterable[str],
) -> list[AddedToken]:
    """Tokens in the order of their ids: that of `pieces`, then `characters` as support.

    Args:
        pieces: (piece, text, donor's log probability).
        base_scores: Ordinary pieces of the base.
        characters: Single characters of the new scripts that must not stay unknown.
    """
    known = {piece for piece, _, _ in pieces} | base_scores.keys()
    support = [(c, c, None) for c in dict.fromkeys(characters) if c not in known]
    minimum = min(base_scores.values())
    scores = dict(base_scores)
    used = {float(np.float32(score)) for score in base_scores.values()}
    longest = max(map(len, scores))
    entries = [(*piece, "new") for piece in pieces] + [(*piece, "support") for piece in support]
    chosen: dict[str, tuple[float, int]] = {}
    for piece, _, donated, _ in sorted(entries, key=lambda e: (len(e[0]), e[0])):
        split, parts = _best_split(piece, scores, longest, minimum - UNKNOWN_PENALTY)
        floor = max(-np.inf if donated is None else donated, split + MARGIN, minimum)
        wanted = np.float32(floor + _jitter(piece))
        while float(wanted) in used:
            wanted = np.nextafter(wanted, np.float32(np.inf))
        used.add(float(wanted))
        scores[piece] = float(wanted)
        longest = max(longest, len(piece))
        chosen[piece] = (float(wanted), parts)
    return [
        AddedToken(
            piece=piece,
            text=text,
            origin="support" if origin == "support" else "new",
            score=chosen[piece][0],
            parts=chosen[piece][1],
        )
        for piece, text, _, origin in entries
    ]


def _jitter(piece: str) -> float:
    """In [0, JITTER), by hash: sums of unequal scores tie too, and float32 and float64 part there."""
    return JITTER * int.from_bytes(hashlib.sha256(piece.encode()).digest()[:4]) / 2**32


def rank_scores(count: int) -> list[float]:
    """Log probabilities for a donor that has only an order (BPE): Zipf's law over the ranks."""
    harmonic = sum(1 / rank for rank in range(1, count + 1))
    return [-math.log(rank * harmonic) for rank in range(1, count + 1)]


def _best_split(
    piece: str, scores: Mapping[str, float], longest: int, unknown: float
) -> tuple[float, int]:
    """Score and number of tokens of the best segmentation (Viterbi)."""
    best = [(0.0, 0)] + [(-np.inf, 0)] * len(piece)
    for end in range(1, len(piece) + 1):
        for start in range(max(0, end - longest), end):
            score = scores.get(piece[start:end])
            if score is None:
                if end - start > 1:
                    continue
                score = unknown
            total = best[start][0] + score
            if total > best[end][0]:
                best[end] = (total, best[start][1] + 1)
    return best[-1]
