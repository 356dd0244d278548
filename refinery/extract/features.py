"""Numbers that describe each block of a page: its text, element, containers and neighbours.

Everything is counted on the whole page at once, one row per feature: what numpy writes and the
trees read lies together. Shapes: N blocks, E elements, F features.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.extract.blocks import TAG_IDS, Blocks
from refinery.extract.elements import NUM_BOX, NUM_LEVELS, NUM_OWN, NUM_SIBLING, PageElements
from refinery.extract.hints import NUM_HINTS

FEATURES_VERSION = 4
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


def _counters() -> NDArray[np.uint64]:
    """[3, 128]: what a character of these kinds adds to counters of 21 bits, three to a number.

    Sums over a block come right as long as no counter of it passes 2**21.
    """
    kinds = np.arange(1 << 7)
    bits = np.array([(kinds >> kind) & 1 for kind in range(9)], np.uint64)
    shifts = np.array([0, 21, 42], np.uint64)[:, None]
    return np.array([(bits[i : i + 3] << shifts).sum(axis=0) for i in (0, 3, 6)], np.uint64)


_COUNTERS = _counters()
_COUNTER_MASK = np.uint64((1 << 21) - 1)
_REACHES = (3, 10)
_SHIFTS = (-2, -1, 1, 2)
_NUM_TEXT = 23
_NUM_POSITION = 10 + NUM_HINTS
# Rows of the text that are given for the blocks around each, too.
_OF_NEIGHBOUR = (*range(8), 12)
NUM_FEATURES = (
    _NUM_TEXT
    + NUM_OWN
    + _NUM_POSITION
    + len(_SHIFTS) * (len(_OF_NEIGHBOUR) + 2)
    + len(_REACHES) * 2 * 12
    + NUM_LEVELS * NUM_BOX
    + NUM_SIBLING
)


@dataclass(frozen=True)
class PageFeatures:
    """Features [F, N] of a page's blocks, their words [N], and what is known of the page."""

    columns: Floats
    words: Floats
    facts: tuple[float, ...] = ()


def compute_features(blocks: Blocks) -> PageFeatures:
    """What is known of each block; a wide (CJK) character is a word."""
    num = len(blocks.texts)
    columns = np.empty((NUM_FEATURES, num), np.float32)
    left = columns

    def take(rows: int) -> Floats:
        nonlocal left
        taken, left = left[:rows], left[rows:]
        return taken

    text_KN, tree = take(_NUM_TEXT), PageElements(blocks)
    words = _write_text(text_KN, blocks)
    own_KN = take(NUM_OWN)
    tree.write_own(own_KN)
    _write_position(take(_NUM_POSITION), words, text_KN, blocks)
    base = np.concatenate([text_KN[list(_OF_NEIGHBOUR)], own_KN[:2]])
    for by in _SHIFTS:
        _write_shifted(take(len(base)), base, by)
    sums = _sums(words, text_KN, blocks)
    for reach in _REACHES:
        _write_windows(take(2 * len(sums)), sums, reach)
    tree.write_containers(take(NUM_LEVELS * NUM_BOX), sums)
    tree.write_siblings(take(NUM_SIBLING), words, text_KN)
    wide = float(text_KN[7].mean())
    return PageFeatures(columns, words, (wide, *blocks.hints.flags))


def _write_text(out: Floats, blocks: Blocks) -> Floats:
    """Fill what the text alone tells [23, N]; returns the words of each block."""
    texts = blocks.texts
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    points = np.frombuffer("\n".join(texts).encode("utf-32-le", "replace"), np.uint32)
    kinds = _KINDS[np.minimum(points, _PAGE - 1)]
    starts = np.cumsum(lengths + 1) - (lengths + 1)
    packed = [np.add.reduceat(counter[kinds], starts) for counter in _COUNTERS]
    # The line end that joins a block to the next is a space.
    packed[1][:-1] -= _COUNTERS[1, _SPACE]
    counts = {
        1 << kind: ((packed[kind // 3] >> np.uint64(21 * (kind % 3))) & _COUNTER_MASK).astype(
            np.float32
        )
        for kind in range(7)
    }
    chars = lengths.astype(np.float32)
    first, last = kinds[starts], kinds[starts + lengths - 1]
    stops, wide = counts[_STOP], counts[_WIDE]
    words = counts[_SPACE] + 1 + wide
    np.log1p(chars, out=out[0])
    np.log1p(words, out=out[1])
    np.divide(np.minimum(blocks.link_chars.astype(np.float32), chars), chars, out=out[2])
    out[3] = blocks.num_links
    out[4] = stops
    np.divide(counts[_COMMA], words, out=out[5])
    np.divide(stops, words, out=out[6])
    for place, count in enumerate((wide, counts[_UPPER], counts[_DIGIT], counts[_SYMBOL]), 7):
        np.divide(count, chars, out=out[place])
    np.divide(chars, words, out=out[11])
    out[12] = (last & _STOP) != 0
    for place, kind in enumerate((_UPPER, _DIGIT, _SYMBOL), 13):
        out[place] = (first & kind) != 0
    np.minimum(blocks.bold_chars.astype(np.float32) / chars, 1, out=out[16])
    out[17] = blocks.num_breaks
    out[18] = _title_match(blocks)
    out[19] = _said_match(blocks)
    out[20] = _repeats(texts)
    out[21] = blocks.num_images
    out[22] = blocks.num_controls
    return words


def _title_match(blocks: Blocks) -> list[float] | float:
    """1 where a block is the title, 0.5 where it is a part of it."""
    title = blocks.title or ""
    size = len(title)
    if size <= 3:
        return 0.0
    return [
        (1.0 if text == title else 0.5) if 3 < len(text) <= size and text in title else 0.0
        for text in blocks.texts
    ]


def _said_match(blocks: Blocks) -> list[float] | float:
    """1 where a block begins as something does that the page says of itself; -1 where it is short."""
    said = blocks.hints.said
    if not said:
        return 0.0
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
    return list(map(Counter(texts).__getitem__, texts))


def _write_position(out: Floats, words: Floats, text_KN: Floats, blocks: Blocks) -> None:
    """Where on the page each block stands, and what the page is like."""
    num = len(words)
    before = np.cumsum(words) - words
    total = words.sum()
    here = np.arange(num)
    np.divide(here, num, out=out[0])
    np.divide(before, total, out=out[1])
    out[2] = here
    linked = (words * text_KN[2]).sum() / total
    page = [np.log1p(num), np.log1p(total), linked, text_KN[12].mean(), text_KN[7].mean(),
        blocks.num_images.mean(), blocks.num_controls.mean(), *blocks.hints.flags]  # fmt: skip
    out[3:] = np.array(page)[:, None]


def _write_shifted(out: Floats, values: Floats, by: int) -> None:
    """Values of the block `by` places on; -1 beyond the page."""
    if by > 0:
        out[:, :-by] = values[:, by:]
        out[:, -by:] = -1
    else:
        out[:, -by:] = values[:, :by]
        out[:, :-by] = -1


def _sums(words: Floats, text_KN: Floats, blocks: Blocks) -> NDArray[np.float64]:
    """Running sums [12, N + 1].

    Words, linked words, stops, long blocks, links, prose words, blocks, images, controls, headings,
    paragraphs, list items.
    """
    tags = blocks.tags[blocks.elements]
    sums = np.zeros((12, len(words) + 1))
    parts = sums[:, 1:]
    parts[0] = words
    np.multiply(words, text_KN[2], out=parts[1])
    parts[2] = text_KN[4]
    parts[3] = (words > 15) & (text_KN[2] < 0.3)
    parts[4] = text_KN[3]
    parts[5] = np.where(text_KN[12] > 0, words, 0)
    parts[6] = 1
    parts[7] = blocks.num_images
    parts[8] = blocks.num_controls
    parts[9] = (tags >= TAG_IDS["h1"]) & (tags <= TAG_IDS["h6"])
    parts[10] = tags == TAG_IDS["p"]
    parts[11] = tags == TAG_IDS["li"]
    return np.cumsum(sums, axis=1, out=sums)


def _write_windows(out: Floats, sums: NDArray[np.float64], reach: int) -> None:
    """Averages over the blocks up to `reach` before and after, each side apart."""
    num = sums.shape[1] - 1
    here = np.arange(num)
    low, high = np.maximum(here - reach, 0), np.minimum(here + reach + 1, num)
    size = len(sums)
    np.divide(sums[:, :-1] - sums.take(low, axis=1), reach, out=out[:size])
    np.divide(sums.take(high, axis=1) - sums[:, 1:], reach, out=out[size:])
