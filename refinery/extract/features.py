"""Numbers that describe each block of a page: its text, element, containers and neighbours.

Shapes: N blocks, E elements, F features. Everything is counted on the whole page at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.extract.blocks import TAG_IDS, Blocks
from refinery.extract.tree import NUM_LEVELS, PageTree

FEATURES_VERSION = 3
Floats = NDArray[np.float32]
# Shorter openings stand in many texts by chance.
SAID_CHARS = 30

_PAGE = 1 << 16
_UPPER, _DIGIT, _STOP, _COMMA, _SPACE, _WIDE, _SYMBOL = (1 << i for i in range(7))


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


@dataclass(frozen=True)
class PageFeatures:
    """Features [N, F] of a page's blocks, their words [N], and what is known of the page."""

    rows: Floats
    words: Floats
    facts: tuple[float, ...] = ()


def compute_features(blocks: Blocks) -> PageFeatures:
    """What is known of each block; a wide (CJK) character is a word."""
    text_NK, words = _text_features(blocks)
    tree = PageTree(blocks)
    columns = [text_NK, tree.own_NK, _position_features(words, text_NK, blocks)]
    base = np.column_stack([text_NK[:, :8], text_NK[:, 12], tree.own_NK[:, :2]])
    columns += [_shift(base, by) for by in (-2, -1, 1, 2)]
    sums = _sums(words, text_NK, blocks)
    columns += [_windows(sums, reach) for reach in (3, 10)]
    columns += [tree.container(sums, level) for level in range(NUM_LEVELS)]
    columns += [tree.siblings(words, text_NK)]
    rows = np.concatenate(columns, axis=1, dtype=np.float32, casting="unsafe")
    wide = float(text_NK[:, 7].mean())
    return PageFeatures(rows, words, (wide, *blocks.hints.flags))


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
    links = np.minimum(blocks.link_chars.astype(np.float32), chars)
    columns = [
        np.log1p(chars), np.log1p(words), links / chars, blocks.num_links,
        counts[_STOP], counts[_COMMA] / words, counts[_STOP] / words, wide / chars,
        counts[_UPPER] / chars, counts[_DIGIT] / chars, counts[_SYMBOL] / chars, chars / words,
        (last & _STOP) != 0, (first & _UPPER) != 0, (first & _DIGIT) != 0, (first & _SYMBOL) != 0,
        np.minimum(blocks.bold_chars.astype(np.float32) / chars, 1), blocks.num_breaks,
        _title_match(blocks), _said_match(blocks), _repeats(blocks.texts), blocks.num_images,
        blocks.num_controls,
    ]  # fmt: skip
    return np.column_stack(columns).astype(np.float32), words.astype(np.float32)


def _title_match(blocks: Blocks) -> list[float]:
    """1 where a block is the title, 0.5 where it is a part of it."""
    title = blocks.title or ""
    return [
        (1.0 if text == title else 0.5) if 3 < len(text) <= len(title) and text in title else 0.0
        for text in blocks.texts
    ]


def _said_match(blocks: Blocks) -> list[float]:
    """1 where a block begins as something does that the page says of itself; -1 where it is short."""
    said = blocks.hints.said
    if not said:
        return [0.0] * len(blocks.texts)
    opening = said[:SAID_CHARS]
    return [
        -1.0
        if len(text) < SAID_CHARS
        else 1.0
        if text[:SAID_CHARS] in said or opening in text
        else 0.0
        for text in blocks.texts
    ]


def _repeats(texts: list[str]) -> list[int]:
    """How often a block's text stands on the page."""
    counts = Counter(texts)
    return [counts[text] for text in texts]


def _position_features(words: Floats, text_NK: Floats, blocks: Blocks) -> Floats:
    num = len(words)
    before = np.cumsum(words) - words
    total = words.sum()
    linked = (words * text_NK[:, 2]).sum() / total
    page = [np.log1p(num), np.log1p(total), linked, text_NK[:, 12].mean(), text_NK[:, 7].mean(),
        blocks.num_images.mean(), blocks.num_controls.mean(), *blocks.hints.flags]  # fmt: skip
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


def _sums(words: Floats, text_NK: Floats, blocks: Blocks) -> Floats:
    """Running sums [N + 1, 12].

    Words, linked words, stops, long blocks, links, prose words, blocks, images, controls, headings,
    paragraphs, list items.
    """
    tags = blocks.tags[blocks.elements]
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
            blocks.num_images,
            blocks.num_controls,
            (tags >= TAG_IDS["h1"]) & (tags <= TAG_IDS["h6"]),
            tags == TAG_IDS["p"],
            tags == TAG_IDS["li"],
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
