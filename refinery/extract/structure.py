"""Write kept blocks as text with its headings, lists, tables and code: plain, or as markdown.

Tables may have a form of their own, or be left out. Elements and blocks go by number here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from refinery.extract.blocks import Blocks
from refinery.extract.config import Style, Tables
from refinery.extract.forms import read_forms
from refinery.extract.grids import Grids
from refinery.extract.list_marks import ListMarks
from refinery.extract.tag_kinds import HEADING_IDS, TAG_IDS

_HEADINGS = {tag_id: level for level, tag_id in enumerate(HEADING_IDS, 1)}
_ITEM, _PRE, _QUOTE, _TERM, _MEANING = (
    TAG_IDS[name] for name in ("li", "pre", "blockquote", "dt", "dd")
)
_FENCES = re.compile(r"^ {0,3}(`{3,})", re.M)


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
        self._blocks = blocks
        self._tags: list[int] = blocks.tag_ids.tolist()
        self._is_markdown = style == "markdown"
        self._tables = tables
        self._grids = grids
        self._forms = read_forms(blocks, keeps_quotes=self._is_markdown)
        self._marks = ListMarks(blocks)
        self._kept: set[int] = set()
        self._written: set[int] = set()
        self._paths: dict[int, tuple[int, ...]] = {-1: ()}

    def render(self, kept: Sequence[int]) -> str:
        self._kept = set(kept)
        lines: list[str] = []
        before: _Group | None = None
        for texts, tag, table, holder in self._members(kept):
            text = self._table(table) if table >= 0 else self._group_text(texts, tag)
            if not text:
                continue
            after = _Group(text, tag, self._path_of(holder))
            if before is not None:
                lines.append(self._border(before, after))
            lines.append(self._set_in(after) if after.path else text)
            before = after
        return "".join(lines)

    def _members(self, kept: Sequence[int]) -> Iterator[tuple[list[str], int, int, int]]:
        """Blocks that are written together: their texts, tag, table of data, and the item or quote around them.

        They belong to one table, or to one piece of code; any other block stands alone.
        """
        elements = self._blocks.elements[list(kept)]
        forms = self._forms.forms[elements].tolist()
        holders = self._forms.holders[elements].tolist()
        group: tuple[list[str], int, int, int] = ([], -1, -1, -1)
        before = -1
        for block, form, holder in zip(kept, forms, holders, strict=True):
            table, tag = self._grids.table_of(block), self._tags[form] if form >= 0 else -1
            unit = table if table >= 0 else form if tag == _PRE else -1
            if unit >= 0 and unit == before:
                group[0].append(self._blocks.texts[block])
                continue
            if group[0]:
                yield group
            around = int(self._forms.holders[table]) if table >= 0 else holder
            group, before = ([self._blocks.texts[block]], tag, table, around), unit
        if group[0]:
            yield group

    def _path_of(self, holder: int) -> tuple[int, ...]:
        """An item or quote behind those around it, the outermost first."""
        if holder not in self._paths:
            self._paths[holder] = (*self._path_of(int(self._forms.outer[holder])), holder)
        return self._paths[holder]

    def _border(self, before: _Group, after: _Group) -> str:
        """A line end between items, and between the parts of one; else an empty line, quoted where both are."""
        if not before.path and not after.path:
            is_plain = before.tag not in (_TERM, _MEANING)
            return "\n\n" if is_plain or not self._stand_together(before, after, 0) else "\n"
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

    def _group_text(self, texts: list[str], tag: int) -> str:
        text = "\n".join(texts)
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
