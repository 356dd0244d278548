"""Numbers that describe each block of a page: its text, element, containers and neighbours.

Shapes: N blocks, E elements, F features. Everything is counted on the whole page at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinery.extract.blocks import TAG_IDS, WORDS, Blocks

FEATURES_VERSION = 1
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

NUM_LEVELS = 6
_PAGE = 1 << 16
_UPPER, _DIGIT, _STOP, _COMMA, _SPACE, _WIDE, _SYMBOL = (1 << i for i in range(7))
_ANCESTORS = (
    "article", "main", "nav", "header", "footer", "aside", "form", "table", "ul", "ol", "section",
    "blockquote", "pre", "figure", "button", "noscript", "details", "dl", "p", "li", "tr",
)  # fmt: skip


def _kinds() -> NDArray[np.uint8]:
    table = np.zeros(_PAGE, np.uint8)
    table[ord("A") : ord("Z") + 1] |= _UPPER
    table[ord("0") : ord("9") + 1] |= _DIGIT
    table[[ord(c) for c in ".!?。！？…؟।"]] |= _STOP
    table[[ord(c) for c in ",;:，；：、،"]] |= _COMMA
    table[[ord(c) for c in " \n\t\u3000\xa0"]] |= _SPACE
    for first, last in ((0x3040, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3)):
        table[first : last + 1] |= _WIDE
    table[[ord(c) for c in "|»«›‹·•©®™/\\#@$€£¥%+=<>_{}[]()*→←↑↓▶►★☆✓"]] |= _SYMBOL
    return table


_KINDS = _kinds()


def compute_features(blocks: Blocks) -> tuple[Floats, Floats]:
    """Features [N, F] and words per block [N]; a wide (CJK) character is a word."""
    text_NK, words = _text_features(blocks)
    tree = _Tree(blocks)
    columns = [text_NK, tree.own_NK, _position_features(words, text_NK)]
    base = np.column_stack([text_NK[:, :8], text_NK[:, 12], tree.own_NK[:, :2]])
    columns += [_shift(base, by) for by in (-2, -1, 1, 2)]
    sums = _sums(words, text_NK)
    columns += [_windows(sums, reach) for reach in (3, 10)]
    columns += [tree.container(sums, level) for level in range(NUM_LEVELS)]
    columns += [tree.siblings(words, text_NK)]
    return np.concatenate(columns, axis=1, dtype=np.float32, casting="unsafe"), words


def _text_features(blocks: Blocks) -> tuple[Floats, Floats]:
    lengths = np.fromiter(map(len, blocks.texts), np.int64, len(blocks.texts))
    joined = "\n".join(blocks.texts)
    points = np.frombuffer(joined.encode("utf-32-le", "replace"), np.uint32)
    kinds = _KINDS[np.minimum(points, _PAGE - 1)]
    starts = np.concatenate([[0], np.cumsum(lengths + 1)[:-1]])
    counts = {}
    for kind in (_UPPER, _DIGIT, _STOP, _COMMA, _SPACE, _WIDE, _SYMBOL):
        sums = np.concatenate([[0], np.cumsum((kinds & kind) != 0)])
        counts[kind] = (sums[starts + lengths] - sums[starts]).astype(np.float32)
    chars = lengths.astype(np.float32)
    first, last = kinds[starts], kinds[starts + lengths - 1]
    wide = counts[_WIDE]
    words = counts[_SPACE] + 1 + wide
    links = np.minimum(np.array(blocks.link_chars, np.float32), chars)
    columns = [
        np.log1p(chars), np.log1p(words), links / chars, np.array(blocks.num_links),
        counts[_STOP], counts[_COMMA] / words, counts[_STOP] / words, wide / chars,
        counts[_UPPER] / chars, counts[_DIGIT] / chars, counts[_SYMBOL] / chars, chars / words,
        (last & _STOP) != 0, (first & _UPPER) != 0, (first & _DIGIT) != 0, (first & _SYMBOL) != 0,
        np.minimum(np.array(blocks.bold_chars, np.float32) / chars, 1), np.array(blocks.num_breaks),
        _title_match(blocks),
    ]  # fmt: skip
    return np.column_stack(columns).astype(np.float32), words.astype(np.float32)


def _title_match(blocks: Blocks) -> list[float]:
    """1 where a block is the title, 0.5 where it is a part of it."""
    title = blocks.title or ""
    return [
        (1.0 if text == title else 0.5) if 3 < len(text) <= len(title) and text in title else 0.0
        for text in blocks.texts
    ]


class _Tree:
    """Elements as arrays; `tops[e]` is the outermost element with the same blocks as e."""

    def __init__(self, blocks: Blocks) -> None:
        self.elements = np.array(blocks.elements, np.int64)
        self.parents = np.array(blocks.parents, np.int64)
        self.starts = np.array(blocks.starts, np.int64)
        self.ends = np.array(blocks.ends, np.int64)
        self.tags = np.array(blocks.tags, np.int64)
        self.paths = np.array(blocks.paths, np.int64)
        self.masks = np.array(blocks.masks, np.int64)
        self.num_blocks = len(blocks.texts)
        parents = self.parents
        same = (self.starts == self.starts[parents]) & (self.ends == self.ends[parents])
        tops = np.where(same, parents, np.arange(len(parents)))
        for _ in range(7):
            tops = tops[tops]
        self.levels = [tops[self.elements]]
        for _ in range(NUM_LEVELS - 1):
            self.levels.append(tops[parents[self.levels[-1]]])
        self.own_NK = self._own(np.array(blocks.depths, np.float32))

    def _own(self, depths: Floats) -> Floats:
        bits = np.zeros(len(self.tags), np.int64)
        for place, name in enumerate(_ANCESTORS):
            bits |= (self.tags == TAG_IDS[name]).astype(np.int64) << place
        marks = bits | (self.masks << len(_ANCESTORS))
        above, parents = marks.copy(), self.parents
        for _ in range(6):
            above |= above[parents]
            parents = parents[parents]
        e = self.elements
        flags = (above[e][:, None] >> np.arange(len(_ANCESTORS) + len(WORDS))) & 1
        own = self.masks[e] | self.masks[self.parents[e]]
        near = (own[:, None] >> np.arange(len(WORDS))) & 1
        tags: list[NDArray[Any]] = [self.tags[e], self.tags[self.parents[e]], depths[e]]
        is_heading = (self.tags[e] >= TAG_IDS["h1"]) & (self.tags[e] <= TAG_IDS["h6"])
        seen_h1 = np.cumsum(self.tags[e] == TAG_IDS["h1"])
        return np.column_stack([*tags, is_heading, seen_h1, seen_h1 > 0, flags, near]).astype(
            np.float32
        )

    def container(self, sums: Floats, level: int) -> Floats:
        """What the level-th distinct container above each block holds."""
        box = self.levels[level]
        first, last = self.starts[box], self.ends[box]
        inside = sums[last] - sums[first]
        whole = np.maximum(sums[-1], 1)
        size = np.maximum(last - first, 1)[:, None]
        place = (np.arange(self.num_blocks) - first) / size[:, 0]
        return np.column_stack(
            [
                inside[:, :5] / size, inside / whole,
                inside[:, 1] / np.maximum(inside[:, 0], 1), np.log1p(size), np.log1p(inside[:, 0]),
                place, self.tags[box], first / self.num_blocks,
            ]
        ).astype(np.float32)  # fmt: skip

    def siblings(self, words: Floats, text_NK: Floats) -> Floats:
        """Blocks elsewhere on the page under the same path of tags and classes."""
        columns = []
        for element in (self.elements, self.parents[self.elements]):
            group = self.paths[element]
            count = np.bincount(group)
            total = np.bincount(group, words)
            linked = np.bincount(group, words * text_NK[:, 2])
            stops = np.bincount(group, text_NK[:, 12])
            num = count[group]
            columns += [
                np.log1p(num), total[group] / num, linked[group] / total[group],
                stops[group] / num, total[group] / words.sum(),
            ]  # fmt: skip
        return np.column_stack(columns).astype(np.float32)


def _position_features(words: Floats, text_NK: Floats) -> Floats:
    num = len(words)
    before = np.cumsum(words) - words
    total = words.sum()
    linked = (words * text_NK[:, 2]).sum() / total
    page = [np.log1p(num), np.log1p(total), linked, text_NK[:, 12].mean(), text_NK[:, 7].mean()]
    return np.column_stack(
        [np.arange(num) / num, before / total, np.arange(num), *(np.full(num, v) for v in page)]
    ).astype(np.float32)


def _shift(values: Floats, by: int) -> Floats:
    """Rows of the block `by` places on; -1 beyond the page."""
    moved = np.full_like(values, -1)
    if by > 0:
        moved[:-by] = values[by:]
    else:
        moved[-by:] = values[:by]
    return moved


def _sums(words: Floats, text_NK: Floats) -> Floats:
    """Running sums [N + 1, 6]: words, linked words, stops, long blocks, links, prose words."""
    long = (words > 15) & (text_NK[:, 2] < 0.3)
    prose = np.where(text_NK[:, 12] > 0, words, 0)
    parts = np.column_stack(
        [
            words,
            words * text_NK[:, 2],
            text_NK[:, 4],
            long,
            text_NK[:, 3],
            prose,
            np.ones_like(words),
        ]
    )
    sums = np.zeros((len(words) + 1, parts.shape[1]), np.float64)
    np.cumsum(parts, axis=0, out=sums[1:])
    return sums  # type: ignore[return-value]


def _windows(sums: Floats, reach: int) -> Floats:
    """Averages over the blocks up to `reach` before and after, each side apart."""
    num = len(sums) - 1
    here = np.arange(num)
    low, high = np.maximum(here - reach, 0), np.minimum(here + reach + 1, num)
    before = (sums[here] - sums[low]) / reach
    after = (sums[high] - sums[here + 1]) / reach
    return np.column_stack([before, after]).astype(np.float32)
