"""Labels for blocks: which of a page's blocks are in the text that people marked."""

from __future__ import annotations

import re
from collections import Counter

_WIDE = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_WORD = re.compile(rf"[{_WIDE}]|[^\W_{_WIDE}]+")
GRAM = 4
MOST_POSITIONS = 60


def words_of(text: str) -> list[str]:
    """Words for scoring and aligning: runs of word characters, CJK one by one."""
    return _WORD.findall(text.lower())


def word_f1(found: str, truth: str) -> float:
    """F1 over the multisets of words."""
    a, b = Counter(words_of(found)), Counter(words_of(truth))
    common = sum((a & b).values())
    if not common:
        return float(not a and not b)
    return 2 * common / (sum(a.values()) + sum(b.values()))


def segment_counts(text: str, wanted: list[str], unwanted: list[str]) -> list[int]:
    """[wanted segments that are there, wanted ones missing, unwanted ones that are there]."""
    found = " ".join(words_of(text))
    present = [" ".join(words_of(segment)) in found for segment in wanted]
    extra = sum(" ".join(words_of(segment)) in found for segment in unwanted)
    return [sum(present), len(present) - sum(present), extra]


def label_blocks(texts: list[str], truth: str) -> list[float]:
    """Share of each block that is content: long ones by n-grams, short ones only in their order.

    "Home" and "Share" occur in many truths by chance. So blocks are aligned with the truth in
    order: of all positions where a block's words stand in it, the chain of rising positions that covers
    the most words is taken; a short block off the chain is not content.
    """
    target = words_of(truth)
    blocks = [words_of(text) for text in texts]
    positions = _positions(target)
    labels = [0.0] * len(blocks)
    candidates: list[tuple[int, int, int, float]] = []
    for b, block in enumerate(blocks):
        if len(block) < 2 * GRAM:
            candidates += _exact(b, block, target, positions)
            continue
        grams = [tuple(block[i : i + GRAM]) for i in range(len(block) - GRAM + 1)]
        hits = [i for i, gram in enumerate(grams) if gram in positions]
        labels[b] = len(hits) / len(grams)
        if labels[b] > 0.5:
            first = positions[grams[hits[0]]][:MOST_POSITIONS]
            candidates += [(b, i, i + len(block), 4.0 * len(block)) for i in first]
    for b in _best_chain(candidates, len(target) + 1):
        labels[b] = max(labels[b], 1.0) if len(blocks[b]) < 2 * GRAM else labels[b]
    return labels


def _positions(target: list[str]) -> dict[tuple[str, ...], list[int]]:
    """Where each n-gram of up to GRAM words stands."""
    positions: dict[tuple[str, ...], list[int]] = {}
    for size in (1, GRAM):
        for i in range(len(target) - size + 1):
            positions.setdefault(tuple(target[i : i + size]), []).append(i)
    return positions


def _exact(
    b: int, block: list[str], target: list[str], positions: dict[tuple[str, ...], list[int]]
) -> list[tuple[int, int, int, float]]:
    if not block:
        return []
    size = len(block)
    starts = positions.get(tuple(block[:1]), [])
    found = [i for i in starts if target[i : i + size] == block]
    return [(b, i, i + size, float(size)) for i in found[:MOST_POSITIONS]]


def _best_chain(candidates: list[tuple[int, int, int, float]], size: int) -> set[int]:
    """Blocks of the heaviest chain in which both block and position in the truth rise.

    A Fenwick tree over positions holds the best chain that ends before each. Gaps cost a little, so
    that of equal chains the denser is taken.
    """
    tree: list[tuple[float, int]] = [(0.0, -1)] * (size + 1)
    back: list[int] = []
    candidates.sort(key=lambda c: (c[0], -c[1]))
    best = (0.0, -1)
    for number, (_, first, end, weight) in enumerate(candidates):
        found, i = (0.0, -1), first
        while i > 0:
            found, i = max(found, tree[i]), i - (i & -i)
        back.append(found[1])
        here = (found[0] + weight, number)
        best, i = max(best, here), min(end, size)
        while i <= size:
            tree[i], i = max(tree[i], here), i + (i & -i)
    chain, number = set(), best[1]
    while number >= 0:
        chain.add(candidates[number][0])
        number = back[number]
    return chain
