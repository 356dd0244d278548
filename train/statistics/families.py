"""Many comparisons at once: the share of false discoveries (Benjamini and Hochberg 1995)."""

from __future__ import annotations

import math
from collections.abc import Sequence


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted probabilities, in the order given: those up to .05 hold 5 % false ones at most.

    A probability that is NaN, of a comparison that could not be made, stays and counts for none.
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    adjusted = list(p_values)
    least = 1.0
    for rank in range(len(known), 0, -1):
        p, index = known[rank - 1]
        least = min(least, p * len(known) / rank)
        adjusted[index] = least
    return adjusted
