"""Write kept blocks as text with its headings, lists, tables and code: plain, or as markdown.

Tables may have a form of their own, or be left out. Elements and blocks go by number here: the
arrays of `Blocks` are turned into lists, which Python reads faster one by one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from refinery.extract.blocks import Blocks
from refinery.extract.config import Style, Tables
from refinery.extract.grids import Grids
from refinery.extract.list_marks import ListMarks
from refinery.extract.tag_kinds import HEADING_IDS, TAG_IDS

_HEADINGS = {tag_id: level for level, tag_id in enumerate(HEADING_IDS, 1)}
_CELLS = {TAG_IDS["td"], TAG_IDS["th"]}
_ITEM, _PRE, _QUOTE, _TERM, _MEANING = (
    TAG_IDS[name] for name in ("li", "pre", "blockquote", "dt", "dd")
)
_NAMED = {*_HEADINGS, *_CELLS, _ITEM, _PRE, _TERM, _MEANING}
# Items and quotes inside each other; deeper ones are set in no further.
MOST_DEPTH = 20
_FENCES = re.compile(r"^ {0,3}(`{3,})", re.M)


class _Piece(NamedTuple):
    """Text of one block, its element, the one that gives it its form, that one's tag, and its table of data.

    -1 stands for no element, tag or table.
    """

    text: str
    element: int
    form: int
    tag: int
    table: int


class _Group(NamedTuple):
    """What is written of blocks that belong together, the tag that gave it its form, and what holds it.

    `path` are the items of lists, and in markdown the quotes, around it, the outermost first.
    """

    text: str
    tag: int
    path: tuple[int, ...]


def render(
    blocks: Blocks,
    kept: Sequence[int],
    style: Style,
    *,
    tables: Tables | None = None,
    grids: Grids | None = None,
) -> str:
    """Join the kept blocks, given by index in their order; None gives tables the style of the text.

    The tables of the page are read here where they are not given.
    """
    return _Renderer(blocks, style, tables or style, grids or Grids(blocks)).render(kept)


class _Renderer:
    def __init__(self, blocks: Blocks, style: Style, tables: Tables, grids: Grids) -> None:
        self._texts = blocks.texts
        self._elements: list[int] = blocks.elements.tolist()
        self._tags: list[int] = blocks.tag_ids.tolist()
        self._parents: list[int] = blocks.parents.tolist()
        self._is_markdown = style == "markdown"
        self._tables = tables
        self._grids = grids
        self._marks = ListMarks(blocks)
        self._kept: set[int] = set()
        self._written: set[int] = set()
        self._forms: dict[int, int] = {}
        self._paths: dict[int, tuple[int, ...]] = {0: ()}

    def render(self, kept: Sequence[int]) -> str:
        self._kept = set(kept)
        pieces = [self._piece(block) for block in kept]
        lines: list[str] = []
        before: _Group | None = None
        for _, group in groupby(pieces, key=self._group_of):
            members = list(group)
            text = self._group_text(members)
            if not text:
                continue
            piece = members[0]
            element = piece.table if piece.table >= 0 else piece.element
            after = _Group(text, piece.tag, self._path_of(element))
            if before is not None:
                lines.append(self._border(before, after))
            lines.append(self._set_in(after))
            before = after
        return "".join(lines)

    def _piece(self, block: int) -> _Piece:
        element = self._elements[block]
        form = self._forms.get(element)
        if form is None:
            form = self._forms[element] = self._form_of(element)
        tag = self._tags[form] if form >= 0 else -1
        return _Piece(self._texts[block], element, form, tag, self._grids.table_of(block))

    def _form_of(self, element: int) -> int:
        """The nearest element, from this one up, whose tag gives a form to text; -1 for none."""
        while element > 0:
            tag = self._tags[element]
            if tag in _NAMED and (tag != _ITEM or self._marks.has_mark(element)):
                return element
            element = self._parents[element]
        return -1

    def _path_of(self, element: int) -> tuple[int, ...]:
        """Items of lists, and in markdown quotes, around an element and this one too, the outermost first."""
        inner = []
        while element not in self._paths:
            inner.append(element)
            element = self._parents[element]
        path = self._paths[element]
        for element in reversed(inner):
            tag = self._tags[element]
            is_quote = tag == _QUOTE and self._is_markdown
            if is_quote or (tag == _ITEM and self._marks.has_mark(element)):
                path = (*path, element)[:MOST_DEPTH]
            self._paths[element] = path
        return path

    def _group_of(self, piece: _Piece) -> tuple[str, int]:
        """Key of the blocks that are written together.

        They belong to one table, or to one piece of code; any other block stands alone.
        """
        if piece.table >= 0:
            return "table", piece.table
        if piece.tag == _PRE:
            return "code", piece.form
        return "p", id(piece)

    def _border(self, before: _Group, after: _Group) -> str:
        """A line end between items, and between the parts of one; else an empty line, quoted where both are."""
        if not before.path and not after.path:
            return "\n" if self._stand_together(before, after, 0) else "\n\n"
        num = 0
        for one, other in zip(before.path, after.path, strict=False):
            if one != other:
                break
            num += 1
        common = after.path[:num]
        quotes = "> " * sum(self._tags[element] == _QUOTE for element in common)
        if self._stand_together(before, after, num):
            return "\n"
        return f"\n{quotes.rstrip()}\n"

    def _stand_together(self, before: _Group, after: _Group, num: int) -> bool:
        """Whether only a line end parts two groups; `num` elements of their paths hold both."""
        opens = num < len(after.path) and self._tags[after.path[num]] == _ITEM
        closes = num < len(before.path) and self._tags[before.path[num]] == _ITEM
        is_inside = num > 0 and self._tags[after.path[num - 1]] == _ITEM
        if opens:
            return is_inside or closes
        if is_inside and (num == len(after.path)):
            return not self._is_markdown or _PRE in (before.tag, after.tag)
        return before.tag in (_TERM, _MEANING) and (
            after.tag == _MEANING or before.tag == after.tag
        )

    def _set_in(self, group: _Group) -> str:
        """The lines of a group behind the marks of the items and quotes that hold it.

        An item's mark stands before its first line; what follows is set in as far.
        """
        text = group.text
        for element in reversed(group.path):
            if self._tags[element] == _QUOTE:
                text = "\n".join(f"> {line}".rstrip() for line in text.split("\n"))
                continue
            mark, left = self._marks.mark(element), self._marks.indent(element)
            behind = left + " " * len(mark)
            first = behind if element in self._written else left + mark
            self._written.add(element)
            begin, *following = text.split("\n")
            text = "\n".join([first + begin, *(line and behind + line for line in following)])
        return text

    def _group_text(self, members: list[_Piece]) -> str:
        tag = members[0].tag
        if members[0].table >= 0:
            return self._table(members[0].table)
        text = "\n".join(piece.text for piece in members)
        if not self._is_markdown:
            return text
        if tag == _PRE:
            fence = max([*_FENCES.findall(text), "``"], key=len) + "`"
            return f"{fence}\n{text}\n{fence}"
        if tag in _HEADINGS:
            return f"{'#' * _HEADINGS[tag]} {' '.join(text.split())}"
        return f": {text}" if tag == _MEANING else text

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
