"""Numbers that describe each block of a page: its text, element, containers and neighbours.

All blocks of a page are counted at once, one row per feature: what numpy writes and the trees read
lies together in memory. `feature_rows.py` names the rows.
Shapes: N blocks, E elements, F features.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.extract.blocks import Blocks
from refinery.extract.elements import (
    NUM_CONTAINER,
    NUM_LEVELS,
    NUM_OWN,
    SIBLING_GROUPS,
    PageElements,
    container_names,
    own_names,
)
from refinery.extract.feature_rows import OwnRow, PositionRow, SiblingRow, SumRow, TextRow
from refinery.extract.hints import NUM_HINTS
from refinery.extract.tag_kinds import HEADING_IDS, TAG_IDS

FEATURES_VERSION = 5
Floats = NDArray[np.float32]
# Shorter openings stand in many texts by chance.
SAID_CHARS = 30
# A block is long prose above so many words, below this share of them linked.
LONG_WORDS, MOST_LINKED = 15, 0.3

_TABLE_SIZE = 1 << 16
_UPPER, _DIGIT, _STOP, _COMMA, _SPACE, _WIDE, _SYMBOL = (1 << i for i in range(7))


def _kinds() -> NDArray[np.uint8]:
    """Bits of the kinds that a character of the basic plane is of, by code point."""
    table = np.zeros(_TABLE_SIZE, np.uint8)
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
    """[3, 128]: what a character of these kinds adds to counters of 21 bits, three in a word.

    Three sums over 64-bit words count seven kinds at once. They are right as long as no counter of
    a block passes 2**21; beyond that a counter spills into the next one and the block is misjudged.
    """
    kinds = np.arange(1 << 7)
    bits = np.array([(kinds >> kind) & 1 for kind in range(9)], np.uint64)
    shifts = np.array([0, 21, 42], np.uint64)[:, None]
    return np.array([(bits[i : i + 3] << shifts).sum(axis=0) for i in (0, 3, 6)], np.uint64)


_COUNTERS = _counters()
_COUNTER_MASK = np.uint64((1 << 21) - 1)
_REACHES = (3, 10)
_SHIFTS = (-2, -1, 1, 2)
# Features of a block that are given for the blocks around it, too.
_SHIFTED_TEXT = (
    TextRow.LOG_CHARS,
    TextRow.LOG_WORDS,
    TextRow.LINKED_FRACTION,
    TextRow.NUM_LINKS,
    TextRow.NUM_STOPS,
    TextRow.COMMAS_PER_WORD,
    TextRow.STOPS_PER_WORD,
    TextRow.WIDE_FRACTION,
    TextRow.ENDS_WITH_STOP,
)
_SHIFTED_OWN = (OwnRow.TAG, OwnRow.PARENT_TAG)
_NUM_SHIFTED = len(_SHIFTED_TEXT) + len(_SHIFTED_OWN)
_NUM_POSITION = len(PositionRow) + NUM_HINTS
_NUM_SIBLING = len(SIBLING_GROUPS) * len(SiblingRow)
NUM_FEATURES = (
    len(TextRow)
    + NUM_OWN
    + _NUM_POSITION
    + len(_SHIFTS) * _NUM_SHIFTED
    + len(_REACHES) * 2 * len(SumRow)
    + NUM_LEVELS * NUM_CONTAINER
    + _NUM_SIBLING
)


def feature_names() -> list[str]:
    """[F] names of the features in the order of their rows, on which the weights depend."""
    shifted = [f"text.{row.name}" for row in _SHIFTED_TEXT]
    shifted += [f"own.{row.name}" for row in _SHIFTED_OWN]
    return [
        *(f"text.{row.name}" for row in TextRow),
        *(f"own.{name}" for name in own_names()),
        *(f"position.{row.name}" for row in PositionRow),
        *(f"position.HINT_{number}" for number in range(NUM_HINTS)),
        *(f"shift_{by:+d}.{name}" for by in _SHIFTS for name in shifted),
        *(
            f"window_{reach}_{side}.{row.name}"
            for reach in _REACHES
            for side in ("before", "behind")
            for row in SumRow
        ),
        *(f"level_{level}.{name}" for level in range(NUM_LEVELS) for name in container_names()),
        *(f"siblings_of_{group}.{row.name}" for group in SIBLING_GROUPS for row in SiblingRow),
    ]


@dataclass(frozen=True)
class PageFeatures:
    """Features [F, N] of a page's blocks, words of each [N], and facts of the page for its cut."""

    columns: Floats
    words: Floats
    facts: tuple[float, ...] = ()


def compute_features(blocks: Blocks) -> PageFeatures:
    """Fill all features of a page that has blocks; a wide (CJK) character is a word."""
    num = len(blocks.texts)
    columns = np.empty((NUM_FEATURES, num), np.float32)
    left = columns

    def take(rows: int) -> Floats:
        nonlocal left
        taken, left = left[:rows], left[rows:]
        return taken

    text_KN, elements = take(len(TextRow)), PageElements(blocks)
    words = _write_text(text_KN, blocks)
    own_KN = take(NUM_OWN)
    elements.write_own(own_KN)
    _write_position(take(_NUM_POSITION), words, text_KN, blocks)
    shifted = np.concatenate([text_KN[list(_SHIFTED_TEXT)], own_KN[list(_SHIFTED_OWN)]])
    for by in _SHIFTS:
        _write_shifted(take(_NUM_SHIFTED), shifted, by)
    sums = _running_sums(words, text_KN, blocks)
    for reach in _REACHES:
        _write_windows(take(2 * len(SumRow)), sums, reach)
    elements.write_containers(take(NUM_LEVELS * NUM_CONTAINER), sums)
    elements.write_siblings(take(_NUM_SIBLING), words, text_KN)
    wide = float(text_KN[TextRow.WIDE_FRACTION].mean())
    return PageFeatures(columns, words, (wide, *blocks.hints.flags))


def _write_text(out: Floats, blocks: Blocks) -> Floats:
    """Fill the rows of `TextRow`; returns the words of each block [N]."""
    texts = blocks.texts
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    points = np.frombuffer("\n".join(texts).encode("utf-32-le", "replace"), np.uint32)
    kinds = _KINDS[np.minimum(points, _TABLE_SIZE - 1)]
    starts = np.cumsum(lengths + 1) - (lengths + 1)
    counts = _count_kinds(kinds, starts)
    chars = lengths.astype(np.float32)
    first, last = kinds[starts], kinds[starts + lengths - 1]
    stops, wide = counts[_STOP], counts[_WIDE]
    words = counts[_SPACE] + 1 + wide
    np.log1p(chars, out=out[TextRow.LOG_CHARS])
    np.log1p(words, out=out[TextRow.LOG_WORDS])
    linked = np.minimum(blocks.link_chars.astype(np.float32), chars)
    np.divide(linked, chars, out=out[TextRow.LINKED_FRACTION])
    out[TextRow.NUM_LINKS] = blocks.num_links
    out[TextRow.NUM_STOPS] = stops
    np.divide(counts[_COMMA], words, out=out[TextRow.COMMAS_PER_WORD])
    np.divide(stops, words, out=out[TextRow.STOPS_PER_WORD])
    np.divide(wide, chars, out=out[TextRow.WIDE_FRACTION])
    np.divide(counts[_UPPER], chars, out=out[TextRow.UPPER_FRACTION])
    np.divide(counts[_DIGIT], chars, out=out[TextRow.DIGIT_FRACTION])
    np.divide(counts[_SYMBOL], chars, out=out[TextRow.SYMBOL_FRACTION])
    np.divide(chars, words, out=out[TextRow.CHARS_PER_WORD])
    out[TextRow.ENDS_WITH_STOP] = (last & _STOP) != 0
    out[TextRow.BEGINS_WITH_UPPER] = (first & _UPPER) != 0
    out[TextRow.BEGINS_WITH_DIGIT] = (first & _DIGIT) != 0
    out[TextRow.BEGINS_WITH_SYMBOL] = (first & _SYMBOL) != 0
    bold = blocks.bold_chars.astype(np.float32) / chars
    np.minimum(bold, 1, out=out[TextRow.BOLD_FRACTION])
    out[TextRow.NUM_BREAKS] = blocks.num_breaks
    out[TextRow.TITLE_MATCH] = _title_match(blocks)
    out[TextRow.SAID_MATCH] = _said_match(blocks)
    out[TextRow.NUM_EQUAL_BLOCKS] = _num_equal(texts)
    out[TextRow.NUM_IMAGES] = blocks.num_images
    out[TextRow.NUM_CONTROLS] = blocks.num_controls
    return words


def _count_kinds(kinds: NDArray[np.uint8], starts: NDArray[np.int64]) -> dict[int, Floats]:
    """Characters of each kind [N] in blocks that begin at these offsets, joined by line ends."""
    packed = [np.add.reduceat(counter[kinds], starts) for counter in _COUNTERS]
    # The line end that joins a block to the next one was counted as a space of the block.
    packed[1][:-1] -= _COUNTERS[1, _SPACE]
    return {
        1 << kind: ((packed[kind // 3] >> np.uint64(21 * (kind % 3))) & _COUNTER_MASK).astype(
            np.float32
        )
        for kind in range(7)
    }


def _title_match(blocks: Blocks) -> list[float] | float:
    """[N] 1 for a block that is the page's title, 0.5 for a part of it, else 0."""
    title = blocks.title or ""
    size = len(title)
    if size <= 3:
        return 0.0
    return [
        (1.0 if text == title else 0.5) if 3 < len(text) <= size and text in title else 0.0
        for text in blocks.texts
    ]


def _said_match(blocks: Blocks) -> list[float] | float:
    """[N] 1 for a block that begins like the page's own description, -1 for a short one, else 0."""
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


def _num_equal(texts: list[str]) -> list[int]:
    """How many blocks of the page have each block's text, itself included."""
    return list(map(Counter(texts).__getitem__, texts))


def _write_position(out: Floats, words: Floats, text_KN: Floats, blocks: Blocks) -> None:
    """Fill the rows of `PositionRow` and the page's hints, which are the same for all its blocks."""
    num = len(words)
    before = np.cumsum(words) - words
    total = words.sum()
    index = np.arange(num)
    np.divide(index, num, out=out[PositionRow.INDEX_FRACTION])
    np.divide(before, total, out=out[PositionRow.WORDS_BEFORE_FRACTION])
    out[PositionRow.INDEX] = index
    page = {
        PositionRow.PAGE_LOG_BLOCKS: np.log1p(num),
        PositionRow.PAGE_LOG_WORDS: np.log1p(total),
        PositionRow.PAGE_LINKED_FRACTION: (words * text_KN[TextRow.LINKED_FRACTION]).sum() / total,
        PositionRow.PAGE_STOP_FRACTION: text_KN[TextRow.ENDS_WITH_STOP].mean(),
        PositionRow.PAGE_WIDE_FRACTION: text_KN[TextRow.WIDE_FRACTION].mean(),
        PositionRow.PAGE_IMAGES_PER_BLOCK: blocks.num_images.mean(),
        PositionRow.PAGE_CONTROLS_PER_BLOCK: blocks.num_controls.mean(),
    }
    for row, value in page.items():
        out[row] = value
    out[len(PositionRow) :] = np.array(blocks.hints.flags)[:, None]


def _write_shifted(out: Floats, values: Floats, by: int) -> None:
    """Fill the values of the block `by` blocks further on; -1 beyond the page."""
    if by > 0:
        out[:, :-by] = values[:, by:]
        out[:, -by:] = -1
    else:
        out[:, -by:] = values[:, :by]
        out[:, :-by] = -1


def _running_sums(words: Floats, text_KN: Floats, blocks: Blocks) -> NDArray[np.float64]:
    """[len(SumRow), N + 1] sums over all blocks before each: a span's sum is one difference."""
    tags = blocks.tag_ids[blocks.elements]
    linked_fraction = text_KN[TextRow.LINKED_FRACTION]
    sums = np.zeros((len(SumRow), len(words) + 1))
    counts = sums[:, 1:]
    counts[SumRow.WORDS] = words
    np.multiply(words, linked_fraction, out=counts[SumRow.LINKED_WORDS])
    counts[SumRow.STOPS] = text_KN[TextRow.NUM_STOPS]
    counts[SumRow.LONG_BLOCKS] = (words > LONG_WORDS) & (linked_fraction < MOST_LINKED)
    counts[SumRow.LINKS] = text_KN[TextRow.NUM_LINKS]
    counts[SumRow.PROSE_WORDS] = np.where(text_KN[TextRow.ENDS_WITH_STOP] > 0, words, 0)
    counts[SumRow.BLOCKS] = 1
    counts[SumRow.IMAGES] = blocks.num_images
    counts[SumRow.CONTROLS] = blocks.num_controls
    counts[SumRow.HEADINGS] = (tags >= HEADING_IDS[0]) & (tags <= HEADING_IDS[-1])
    counts[SumRow.PARAGRAPHS] = tags == TAG_IDS["p"]
    counts[SumRow.LIST_ITEMS] = tags == TAG_IDS["li"]
    return np.cumsum(sums, axis=1, out=sums)


def _write_windows(out: Floats, sums: NDArray[np.float64], reach: int) -> None:
    """Fill averages over the blocks up to `reach` before each block, then up to `reach` behind it.

    Sums are divided by `reach` at the borders of a page, too, where there are fewer blocks.
    """
    num = sums.shape[1] - 1
    index = np.arange(num)
    low, high = np.maximum(index - reach, 0), np.minimum(index + reach + 1, num)
    np.divide(sums[:, :-1] - sums.take(low, axis=1), reach, out=out[: len(SumRow)])
    np.divide(sums.take(high, axis=1) - sums[:, 1:], reach, out=out[len(SumRow) :])
