"""Marks of the items of lists: a dash, or the number, letter or Roman number that the page counts them by."""

from __future__ import annotations

from collections import defaultdict

from refinery.extract.blocks import Blocks
from refinery.extract.tag_kinds import TAG_IDS

_ITEM, _ORDERED = TAG_IDS["li"], TAG_IDS["ol"]
_LISTS = {TAG_IDS["ul"], _ORDERED}
# An item with more is a post or a part of the page: no mark stands before it.
MOST_ITEM_CHARS, MOST_ITEM_BLOCKS = 800, 3
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
    (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip


class ListMarks:
    """The items of the lists of a page, by element."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._tags: list[int] = blocks.tag_ids.tolist()
        self._parents: list[int] = blocks.parents.tolist()
        self._items: dict[int, list[int]] = defaultdict(list)
        if _ITEM in self._tags:
            for element, tag in enumerate(self._tags):
                if tag == _ITEM:
                    self._items[self._parents[element]].append(element)
        self._marks: dict[int, str] = {}
        self._has_marks: dict[int, bool] = {}

    def has_mark(self, item: int) -> bool:
        """Whether an item is one of a list that is read as such; lists lay out threads of posts, too."""
        parent = self._parents[item]
        if parent not in self._has_marks:
            self._has_marks[parent] = not any(map(self._is_part, self._items[parent]))
        return self._has_marks[parent]

    def mark(self, item: int) -> str:
        """What stands before an item, with the blanks that set it in."""
        parent = self._parents[item]
        if self._tags[parent] != _ORDERED:
            return "- "
        if item not in self._marks:
            self._number(parent)
        return self._marks[item]

    def indent(self, item: int) -> str:
        """Blanks before the mark of an item, beside those of the items around it."""
        parent = self._parents[item]
        return "  " if parent > 0 and self._tags[self._parents[parent]] in _LISTS else ""

    def _is_part(self, item: int) -> bool:
        first, end = int(self._blocks.starts[item]), int(self._blocks.ends[item])
        texts = self._blocks.texts[first:end]
        return len(texts) > MOST_ITEM_BLOCKS and sum(map(len, texts)) > MOST_ITEM_CHARS

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
