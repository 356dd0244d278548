"""Tables of a page as rows of cells: which tables hold data, and the text of each of their cells.

Cells come from the elements <td> and <th>, not from the blocks in them: so an empty cell keeps its
column, and a merged one the columns and rows that it covers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from refinery.extract.blocks import Blocks
from refinery.extract.tag_kinds import TAG_IDS

# A cell with more lays out a page: in any table, and in one whose rows show that it is a list.
CELL_CHARS = 300
LISTED_CELL_CHARS = 1_000
# Remarks under a heading may be long.
HEADED_CELL_CHARS = 5_000
LISTED_CELL_BLOCKS = 12
# So many rows of two filled cells or more, or one cell of heading, make a list of a table.
LISTED_ROWS = 3
# A cell says what it covers; no table of a page needs more.
MOST_SPAN = 100

_TABLE, _ROW, _HEAD = TAG_IDS["table"], TAG_IDS["tr"], TAG_IDS["th"]
_CELLS = (TAG_IDS["td"], _HEAD)
_FOOT, _CAPTION, _PRE = TAG_IDS["tfoot"], TAG_IDS["caption"], TAG_IDS["pre"]
_HEADINGS = {TAG_IDS[name] for name in ("h1", "h2", "h3")}
_NO_CELL_TEXT = {*_HEADINGS, *(TAG_IDS[name] for name in ("article", "section", "form"))}


@dataclass
class Grid:
    """A table: its rows, each a list of the elements that are its cells, and the blocks in them.

    Attributes:
        rows: By row element, in order, its cells; rows of a foot come last.
        blocks: By cell element, the blocks in it.
        has_inner: Whether a cell holds another table.
        captions: The blocks of its caption.
    """

    rows: dict[int, list[int]] = field(default_factory=dict)
    blocks: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    has_inner: bool = False
    captions: list[int] = field(default_factory=list)


class Grids:
    """All tables of a page, by element."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._tags: list[int] = blocks.tag_ids.tolist()
        self._parents: list[int] = blocks.parents.tolist()
        self._grids: dict[int, Grid] = {}
        self._cells: dict[int, int] = {}
        if _TABLE in self._tags:
            self._read()

    def _read(self) -> None:
        tags, parents = self._tags, self._parents
        # By element: the cell and the table that it stands in; a parent comes before its child.
        cell_of, table_of = [-1] * len(tags), [-1] * len(tags)
        for element, tag in enumerate(tags):
            parent = parents[element]
            cell_of[element], table_of[element] = cell_of[parent], table_of[parent]
            if tag == _TABLE:
                if table_of[parent] >= 0:
                    self._grids[table_of[parent]].has_inner = True
                self._grids[element] = Grid()
                cell_of[element], table_of[element] = -1, element
            elif tag in _CELLS and tags[parent] == _ROW and table_of[element] >= 0:
                self._grids[table_of[element]].rows.setdefault(parent, []).append(element)
                cell_of[element] = element
        for block, element in enumerate(self._blocks.elements.tolist()):
            cell = cell_of[element]
            if cell >= 0:
                self._grids[table_of[element]].blocks[cell].append(block)
                self._cells[block] = table_of[element]
            elif tags[element] == _CAPTION and table_of[element] >= 0:
                self._grids[table_of[element]].captions.append(block)
        self._grids = {table: grid for table, grid in self._grids.items() if self._is_data(grid)}
        if _FOOT in tags:
            for grid in self._grids.values():
                grid.rows = dict(
                    sorted(grid.rows.items(), key=lambda row: tags[parents[row[0]]] == _FOOT)
                )

    def table_of(self, block: int) -> int:
        """The table of data that a block stands in a cell of; -1 for none."""
        table = self._cells.get(block, -1)
        return table if table in self._grids else -1

    def data_tables(self) -> Iterable[list[int]]:
        """The blocks in the cells of each table of data, and those of its caption."""
        for grid in self._grids.values():
            yield [*grid.captions, *(block for blocks in grid.blocks.values() for block in blocks)]

    def data_rows(self) -> Iterable[list[int]]:
        """The blocks in the cells of each row of the tables of data."""
        for grid in self._grids.values():
            for cells in grid.rows.values():
                yield [block for cell in cells for block in grid.blocks.get(cell, ())]

    def _is_data(self, grid: Grid) -> bool:
        """Whether a table shows data, and does not lay out a page."""
        if grid.has_inner or max(map(len, grid.rows.values()), default=0) < 2:
            return False
        texts, elements, tags = self._blocks.texts, self._blocks.elements, self._tags
        # Headings may head the columns; anywhere else they are those of the page.
        heads = set(next(iter(grid.rows.values()))) & grid.blocks.keys()
        heads = heads if all(self._is_heading(grid.blocks[cell]) for cell in heads) else set()
        if any(
            (tags[elements[block]] in _NO_CELL_TEXT and cell not in heads)
            or (tags[elements[block]] == _PRE and "\n" in texts[block])
            for cell, own in grid.blocks.items()
            for block in own
        ):
            return False
        filled = [sum(cell in grid.blocks for cell in cells) for cells in grid.rows.values()]
        is_headed = any(tags[cell] == _HEAD for cells in grid.rows.values() for cell in cells)
        is_listed = sum(num >= 2 for num in filled) >= LISTED_ROWS or is_headed
        most_blocks = LISTED_CELL_BLOCKS if is_listed else 1
        most_chars = LISTED_CELL_CHARS if is_listed else CELL_CHARS
        if is_headed and min(map(len, grid.rows.values())) >= 2:
            most_chars = HEADED_CELL_CHARS
        return all(
            len(cell) <= most_blocks and sum(len(texts[block]) for block in cell) <= most_chars
            for cell in grid.blocks.values()
        )

    def _is_heading(self, blocks: list[int]) -> bool:
        """Whether a cell is one heading."""
        return len(blocks) == 1 and self._tags[self._blocks.elements[blocks[0]]] in _HEADINGS

    def rows(self, table: int, kept: set[int]) -> list[list[str]]:
        """The text of each cell, row by row; rows of which nothing is kept are left out.

        A merged cell gives its text once, and empty cells for the rest of what it covers.
        """
        grid = self._grids[table]
        rows = []
        # By column, how many rows below are still covered by a merged cell.
        covered: dict[int, int] = {}
        for cells in grid.rows.values():
            row: list[str] = []
            for cell in cells:
                self._cover(row, covered)
                blocks = grid.blocks.get(cell, ())
                text = " ".join(
                    " ".join(self._blocks.texts[b].split()) for b in blocks if b in kept
                )
                width = min(max(self._blocks.col_spans.get(cell, 1), 1), MOST_SPAN)
                # 0 reaches down to the end of the table's part.
                height = min(self._blocks.row_spans.get(cell, 1) or MOST_SPAN, MOST_SPAN)
                for column in range(len(row), len(row) + width):
                    covered[column] = height - 1
                row += [text, *[""] * (width - 1)]
            self._cover(row, covered)
            if any(row):
                rows.append(row)
        return rows

    def _cover(self, row: list[str], covered: dict[int, int]) -> None:
        """Add empty cells where a cell of a row above reaches down."""
        while covered.get(len(row), 0) > 0:
            covered[len(row)] -= 1
            row.append("")
