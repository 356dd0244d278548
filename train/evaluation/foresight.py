"""What an evaluation could tell, said before it is run."""

from __future__ import annotations

import math
from collections.abc import Sequence

from train.evaluation.items import Item
from train.statistics.intervals import ENOUGH_CLUSTERS
from train.statistics.paired import USUAL_CORRELATION, Design, smallest_effect


def findable(name: str, items: Sequence[Item]) -> str:
    """How large a difference between two models these items would show, as a sentence.

    Accuracy is taken at chance, where it varies most among few choices; of one candidate, at one half.
    """
    shares = [len(item.gold) / len(item.candidates) for item in items]
    chance = sum(shares) / len(shares)
    base_rate = chance if 0 < chance < 1 else 0.5
    names = {item.cluster for item in items if item.cluster is not None}
    clusters = None if not names else len(names) + sum(item.cluster is None for item in items)
    effect = smallest_effect(Design(items=len(items), clusters=clusters, base_rate=base_rate))
    size = "1 item" if len(items) == 1 else f"{len(items):,} items"
    if clusters is not None:
        size = f"{size} in {clusters:,} clusters"
    if math.isinf(effect) or effect >= 1:
        return f"{name}: {size}: no difference between two models could be told from luck"
    few = ""
    if clusters is not None and clusters < ENOUGH_CLUSTERS:
        few = f"; with fewer than {ENOUGH_CLUSTERS} clusters intervals may be too short"
    return (
        f"{name}: {size}: a difference of {100 * effect:.1f} points between two models would be found four times "
        f"of five, if their answers correlate {USUAL_CORRELATION:g}{few}"
    )
