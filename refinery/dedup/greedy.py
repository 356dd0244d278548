"""The rule of removal: in the keepers' order, a document goes if it has an edge to a kept one.

So no chain removes a document that does not resemble its keeper, no verified pair survives among
the kept, and later documents never change earlier decisions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

OrderKey = tuple[int, int, int, str]


def greedy_removals(
    order: Sequence[str], edges: Iterable[tuple[str, str]]
) -> dict[str, str]:
    """Removed document -> the kept document it resembles that comes first in the order.

    Args:
        order: Documents, the most wanted first.
        edges: Verified pairs, in any direction.
    """
    neighbours: dict[str, list[str]] = defaultdict(list)
    rank = {document: place for place, document in enumerate(order)}
    for left, right in edges:
        neighbours[left].append(right)
        neighbours[right].append(left)
    removed: dict[str, str] = {}
    kept: set[str] = set()
    for document in order:
        keepers = [n for n in neighbours[document] if n in kept]
        if keepers:
            removed[document] = min(keepers, key=rank.__getitem__)
        else:
            kept.add(document)
    return removed
