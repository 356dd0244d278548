"""Settle what belongs together after the cut: units are kept whole, hidden parts, repeats and what is another text are left out.

Each block is judged by itself, so a table may lose its head, a row its label and a question its answer.
A unit of which half is kept is kept whole, and so is a row of a table. Of a page with an article of its own, what stands
behind that is left out (`own_article.py`). A page that is laid out for several widths, or that shows its teasers
and quotes twice, gives each text once.
Shapes: N blocks, E elements.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from refinery.extract.blocks import Blocks
from refinery.extract.grids import Grids
from refinery.extract.hidden import Hidden
from refinery.extract.own_article import find_behind
from refinery.extract.tag_kinds import TAG_IDS

Bools = NDArray[np.bool_]

# A hidden part that holds more of the text that is kept is the page itself, shown once it is loaded.
MOST_HIDDEN_SHARE = 0.25

# Fewer words of a row, the smaller part of it, are a number without what it counts.
FEWEST_ROW_WORDS = 4

# What is left out beside code says no more than its language, its file or "Copy".
MOST_LABEL_WORDS = 2

# Shorter texts are said twice on purpose.
REPEATED_CHARS = 40

_CODE, _BUTTON = TAG_IDS["pre"], TAG_IDS["button"]
_TERMS, _DETAILS = TAG_IDS["dl"], TAG_IDS["details"]
_FROM_ALL, _UNFOLDING = 1 << Hidden.FROM_ALL, 1 << Hidden.UNFOLDING


def settle(
    blocks: Blocks, kept: Bools, words: NDArray[np.float32], *, grids: Grids | None = None
) -> Bools:
    """The blocks [N] to keep, from those that the cut keeps and the words of each.

    The tables of the page are read here where they are not given.
    """
    settled, grids = kept.copy(), grids or Grids(blocks)
    for unit in _units(blocks, grids):
        if words[unit] @ kept[unit] * 2 >= words[unit].sum():
            settled[unit] = True
    for row in grids.data_rows():
        left = words[row] @ settled[row]
        if settled[row].any() and left * 2 >= words[row].sum():
            settled[row] = True
        elif left < FEWEST_ROW_WORDS:
            settled[row] = False
    _keep_questions(blocks, settled)
    _keep_enclosed(blocks, grids, settled, words)
    total = float(words @ settled)
    for first, end in _hidden_parts(blocks):
        if words[first:end] @ settled[first:end] < MOST_HIDDEN_SHARE * total:
            settled[first:end] = False
    settled &= ~find_behind(blocks, settled, words)
    return settled & ~_repeats(blocks, grids, settled)


def _repeats(blocks: Blocks, grids: Grids, kept: Bools) -> Bools:
    """Whether a kept block [N] has said the same before each one; the cells of a table may say it again.

    So may a page with code: its steps are the same for each language, and are meant to be.
    """
    repeats = np.zeros(len(kept), np.bool_)
    if (blocks.tag_ids[blocks.elements[kept]] == _CODE).any():
        return repeats
    seen: set[str] = set()
    for block in np.flatnonzero(kept).tolist():
        text = blocks.texts[block]
        if len(text) < REPEATED_CHARS:
            continue
        if text in seen:
            repeats[block] = grids.table_of(block) < 0
        seen.add(text)
    return repeats


def _units(blocks: Blocks, grids: Grids) -> Iterator[NDArray[np.int64]]:
    """The blocks of each table of data, of each list of terms, of each part with a summary."""
    for table in grids.data_tables():
        yield np.array(table, np.int64)
    is_unit = (blocks.tag_ids == _TERMS) | (blocks.tag_ids == _DETAILS)
    for element in np.flatnonzero(is_unit).tolist():
        yield np.arange(blocks.starts[element], blocks.ends[element])


def _keep_questions(blocks: Blocks, kept: Bools) -> None:
    """Keep the button that unfolds a part of the page which is kept: it asks what the part answers."""
    for element in np.flatnonzero(blocks.hidden_bits & _UNFOLDING).tolist():
        first, end = int(blocks.starts[element]), int(blocks.ends[element])
        if 0 < first < end and kept[first:end].all():
            holder = int(blocks.elements[first - 1])
            if blocks.tag_ids[holder] == _BUTTON:
                kept[first - 1] = True


def _keep_enclosed(blocks: Blocks, grids: Grids, kept: Bools, words: NDArray[np.float32]) -> None:
    """Keep code and tables of data that stand between two texts that are kept, with nothing else between them.

    Beside code, labels are nothing.
    """
    is_code = blocks.tag_ids[blocks.elements] == _CODE
    is_part = is_code.copy()
    for table in grids.data_tables():
        is_part[table] = True
    is_text = ~is_part & (kept | (words > MOST_LABEL_WORDS))
    for parts, texts in ((is_part & ~is_code, ~is_part), (is_code, is_text)):
        chosen, others = np.flatnonzero(parts), np.flatnonzero(texts)
        behind = np.searchsorted(others, chosen)
        inside = (behind > 0) & (behind < len(others))
        chosen, behind = chosen[inside], behind[inside]
        kept[chosen] |= kept[others[behind - 1]] & kept[others[behind]]


def _hidden_parts(blocks: Blocks) -> Iterator[tuple[int, int]]:
    """First block and end of each element that is hidden from all readers."""
    for element in np.flatnonzero(blocks.hidden_bits & _FROM_ALL).tolist():
        first, end = int(blocks.starts[element]), int(blocks.ends[element])
        if first < end:
            yield first, end
