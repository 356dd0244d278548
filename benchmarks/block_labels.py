"""Labels for blocks: which of a page's blocks are in the text that people marked."""

from __future__ import annotations

import bisect
import itertools
import re
from collections import Counter

_WIDE = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"
_WORD = re.compile(rf"[{_WIDE}]|[^\W_{_WIDE}]+")
GRAM = 4


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


def label_blocks(texts: list[str], truth: str) -> list[float]:
    """Share of each block that is content: long ones by n-grams, short ones only in their place."""
    target = words_of(truth)
    places: dict[tuple[str, ...], list[int]] = {}
    for i in range(len(target) - GRAM + 1):
        places.setdefault(tuple(target[i : i + GRAM]), []).append(i)
    singles: dict[str, list[int]] = {}
    for i, word in enumerate(target):
        singles.setdefault(word, []).append(i)
    blocks = [words_of(text) for text in texts]
    labels = [0.0] * len(blocks)
    anchors: list[tuple[int, int, int]] = []
    for b, block in enumerate(blocks):
        if len(block) < 2 * GRAM:
            continue
        grams = [tuple(block[i : i + GRAM]) for i in range(len(block) - GRAM + 1)]
        hits = [i for i, gram in enumerate(grams) if gram in places]
        labels[b] = len(hits) / len(grams)
        if labels[b] > 0.5:
            first = places[grams[hits[0]]][0]
            anchors.append((b, first, first + len(block)))
    chain = _increasing(anchors)
    _label_short(blocks, target, singles, chain, labels)
    return labels


def _increasing(anchors: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Longest chain of anchors whose places in the truth rise."""
    tails: list[int] = []
    ends: list[int] = []
    back: list[int] = []
    for i, (_, first, _) in enumerate(anchors):
        k = bisect.bisect_right(tails, first)
        back.append(ends[k - 1] if k else -1)
        tails[k : k + 1] = [first]
        ends[k : k + 1] = [i]
    chain, i = [], ends[-1] if ends else -1
    while i >= 0:
        chain.append(anchors[i])
        i = back[i]
    return chain[::-1]


def _label_short(blocks, target, singles, chain, labels) -> None:  # type: ignore[no-untyped-def]
    """Between two anchors, a short block is content where its words come next in the truth."""
    bounds = [(-1, 0, 0), *chain, (len(blocks), len(target), len(target))]
    for (b0, _, end), (b1, start, _) in itertools.pairwise(bounds):
        cursor = max(0, end - 2)
        limit = start + 2
        for b in range(b0 + 1, b1):
            block = blocks[b]
            if not block or len(block) >= 2 * GRAM:
                continue
            options = singles.get(block[0], [])
            k = bisect.bisect_left(options, cursor)
            while k < len(options) and options[k] + len(block) <= limit + 2:
                i = options[k]
                if target[i : i + len(block)] == block and i - cursor < 400:
                    labels[b] = 1.0
                    cursor = i + len(block)
                    break
                k += 1
