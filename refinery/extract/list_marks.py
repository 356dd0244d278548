"""Marks of the items of lists: a dash, or the number, letter or Roman number that the page counts them by."""

from __future__ import annotations

import functools
from collections import defaultdict

import numpy as np

from refinery.extract.blocks import Blocks
from refinery.extract.tag_kinds import TAG_IDS

_ITEM, _ORDERED = TAG_IDS["li"], TAG_IDS["ol"]
_LISTS = {TAG_IDS["ul"], _ORDERED}
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
    (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


class ListMarks:
    """The items of the lists of a page, by element."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._marks: dict[int, str] = {}

    def mark(self, item: int) -> str:
        """What stands before an item, with the blanks that set it in."""
        parent = int(self._blocks.parents[item])
        if self._blocks.tag_ids[parent] != _ORDERED:
            return "- "
        if item not in self._marks:
            self._number(parent)
        return self._marks[item]

    def indent(self, item: int) -> str:
        """Blanks before the mark of an item, beside those of the items around it."""
        parents, tag_ids = self._blocks.parents, self._blocks.tag_ids
        parent = int(parents[item])
        return "  " if parent > 0 and int(tag_ids[parents[parent]]) in _LISTS else ""

    @functools.cached_property
    def _items(self) -> dict[int, list[int]]:
        """By element, the items in it."""
        items: dict[int, list[int]] = defaultdict(list)
        of_all = np.flatnonzero(self._blocks.tag_ids == _ITEM)
        for item, parent in zip(
            of_all.tolist(), self._blocks.parents[of_all].tolist(), strict=True
        ):
            items[parent].append(item)
        return items

    def _number(self, parent: int) -> None:
        items, given = self._items[parent], self._blocks.numbers
        kind = self._blocks.list_types.get(parent, "1")
        step = -1 if kind.endswith("-") else 1
        number = given.get(parent, len(items) if step < 0 else 1)
        for item in items:
            number = given.get(item, number)
            self._marks[item] = f"{write_number(number, kind[0])}. "
            number += step


def write_number(number: int, kind: str) -> str:
    """A number in the way that a list's `type` names: 1, a, A, i or I; others than whole ones above 0 as digits."""
    if kind == "1" or not 0 < number < 4_000:
        return str(number)
    letters = ""
    if kind in "aA":
        while number:
            number, letter = divmod(number - 1, 26)
            letters = chr(ord("a") + letter) + letters
    else:
        for value, sign in _ROMAN:
            letters += sign * (number // value)
            number %= value
    return letters.upper() if kind in "AI" else letters
