"""Write kept blocks as text with its headings, lists, tables and code: plain, or as markdown.

Tables may have a form of their own, or be left out. Elements and blocks go by number here: the
arrays of `Blocks` are turned into lists, which Python reads faster one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from refinery.extract.blocks import Blocks
from refinery.extract.config import Style, Tables
from refinery.extract.grids import Grids
from refinery.extract.tag_kinds import HEADING_IDS, TAG_IDS

_HEADINGS = {tag_id: level for level, tag_id in enumerate(HEADING_IDS, 1)}
_LISTS = {TAG_IDS["ul"], TAG_IDS["ol"]}
_CELLS = {TAG_IDS["td"], TAG_IDS["th"]}
_ITEM, _ORDERED, _PRE, _QUOTE, _TERM, _MEANING = (
    TAG_IDS[name] for name in ("li", "ol", "pre", "blockquote", "dt", "dd")
)
_NAMED = {*_HEADINGS, *_CELLS, _ITEM, _PRE, _TERM, _MEANING}


class _Piece(NamedTuple):
    """Text of one block, the element that gives it its form, that one's tag, and its table of data.

    -1 stands for no element, tag or table.
    """

    text: str
    form: int
    tag: int
    table: int


def render(
    blocks: Blocks, kept: Sequence[int], style: Style, *, tables: Tables | None = None
) -> str:
    """Join the kept blocks, given by index in their order; None gives tables the style of the text."""
    return _Renderer(blocks, style, tables or style).render(kept)


class _Renderer:
    def __init__(self, blocks: Blocks, style: Style, tables: Tables) -> None:
        self._texts = blocks.texts
        self._elements: list[int] = blocks.elements.tolist()
        self._tags: list[int] = blocks.tag_ids.tolist()
        self._parents: list[int] = blocks.parents.tolist()
        self._is_markdown = style == "markdown"
        self._tables = tables
        self._grids = Grids(blocks)
        self._given_numbers = blocks.numbers
        self._kept: set[int] = set()
        self._written: set[int] = set()
        self._forms: dict[int, int] = {}
        self._numbers: dict[int, dict[int, int]] = {}

    def render(self, kept: Sequence[int]) -> str:
        self._kept = set(kept)
        pieces = [self._piece(block) for block in kept]
        lines: list[str] = []
        last = -1
        for key, group in groupby(pieces, key=self._group_of):
            members = list(group)
            text, tag = self._group_text(members), members[0].tag
            if not text:
                continue
            if lines:
                lines.append("\n" if _stand_together(last, tag) else "\n\n")
            lines.append(text)
            last = tag if key[0] != "p" else -1
        return "".join(lines)

    def _piece(self, block: int) -> _Piece:
        element = self._elements[block]
        form = self._forms.get(element)
        if form is None:
            form = self._forms[element] = self._form_of(element)
        tag = self._tags[form] if form >= 0 else -1
        return _Piece(self._texts[block], form, tag, self._grids.table_of(block))

    def _form_of(self, element: int) -> int:
        """The nearest element, from this one up, whose tag gives a form to text; -1 for none."""
        while element > 0:
            if self._tags[element] in _NAMED:
                return element
            element = self._parents[element]
        return -1

    def _group_of(self, piece: _Piece) -> tuple[str, int]:
        """Key of the blocks that are written together.

        They belong to one table, to one list item, or to one piece of code; any other block stands
        alone.
        """
        if piece.table >= 0:
            return "table", piece.table
        if piece.tag in (_ITEM, _PRE):
            return "one", piece.form
        return "p", id(piece)

    def _group_text(self, members: list[_Piece]) -> str:
        tag = members[0].tag
        if members[0].table >= 0:
            return self._table(members[0].table)
        if tag == _ITEM:
            return self._item(members)
        text = "\n".join(piece.text for piece in members)
        if tag == _PRE:
            return f"```\n{text}\n```" if self._is_markdown else text
        if self._is_markdown and tag in _HEADINGS:
            return f"{'#' * _HEADINGS[tag]} {' '.join(text.split())}"
        if self._is_markdown and tag == _MEANING:
            return f": {text}"
        return text

    def _item(self, members: list[_Piece]) -> str:
        form = members[0].form
        parent = self._parents[form]
        depth, above = 0, parent
        while above > 0:
            depth += self._tags[above] in _LISTS
            above = self._parents[above]
        is_numbered = self._is_markdown and self._tags[parent] == _ORDERED
        mark = f"{self._number(form)}. " if is_numbered else "- "
        indent = "  " * max(0, depth - 1)
        first, *following = "\n".join(piece.text for piece in members).split("\n")
        left = indent + " " * len(mark)
        return "\n".join([indent + mark + first, *(line and left + line for line in following)])

    def _number(self, item: int) -> int:
        """Number of an item in its list: one more than that before it, unless the page gives it."""
        parents, tags, given = self._parents, self._tags, self._given_numbers
        parent = parents[item]
        numbers = self._numbers.get(parent)
        if numbers is None:
            numbers = self._numbers[parent] = {}
            number = given.get(parent, 1)
            for element, above in enumerate(parents):
                if above == parent and tags[element] == _ITEM:
                    number = numbers[element] = given.get(element, number)
                    number += 1
        return numbers[item]

    def _table(self, table: int) -> str:
        """Write rows of cells, once for all pieces of the table."""
        if self._tables == "drop" or table in self._written:
            return ""
        self._written.add(table)
        rows = self._grids.rows(table, self._kept)
        if self._tables != "markdown":
            return "\n".join(" | ".join(row) for row in rows)
        width = max(map(len, rows))
        cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
        lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in cells]
        lines.insert(1, "|" + " --- |" * width)
        return "\n".join(lines)


def _stand_together(before: int, after: int) -> bool:
    """Whether only a line end parts two groups: list items, and a term and its meaning."""
    return (before == _ITEM and after == _ITEM) or (before == _TERM and after == _MEANING)
