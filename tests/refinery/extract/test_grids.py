"""Tables by their cells: every value under its heading."""

import pytest

from refinery.extract.blocks import read_blocks
from refinery.extract.config import Style
from refinery.extract.grids import Grids
from refinery.extract.structure import render


def rendered(table: str, style: Style = "plain") -> str:
    blocks = read_blocks(f"<body><table>{table}</table>")
    return render(blocks, range(len(blocks.texts)), style)


HEAD = "<tr><th>year<th>rain<th>snow"


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        ("<tr><td>2001<td><td>7", "2001 |  | 7"),
        ("<tr><td><td>3<td>", " | 3 | "),
        ("<tr><td>2001<td colspan=2>none", "2001 | none | "),
        ("<tr><td rowspan=2>2001<td>1<td>2<tr><td>3<td>4", "2001 | 1 | 2\n | 3 | 4"),
        ("<tr><td>2001<td rowspan=2>1<td>2<tr><td>2002<td>4", "2001 | 1 | 2\n2002 |  | 4"),
        ("<tr><td>2001<td><p>calm</p><p>dry</p><td>1", "2001 | calm dry | 1"),
        ("<tr><td>2001<td><ul><li>calm<li>dry</ul><td>1", "2001 | calm dry | 1"),
        ("<tr><td>2001<td>a<br>b<td>1", "2001 | a b | 1"),
        ("<tr><td>2001<td>" + "long " * 90 + "<td>1", f"2001 | {'long ' * 89}long | 1"),
    ],
    ids=[
        "empty",
        "ends",
        "colspan",
        "rowspan",
        "rowspan inside",
        "paragraphs",
        "list",
        "break",
        "long",
    ],
)
def test_each_value_stands_under_its_heading(rows: str, lines: str) -> None:
    assert rendered(HEAD + rows) == f"year | rain | snow\n{lines}"


def test_markdown_has_cells_and_marks_as_wide_as_the_widest_row() -> None:
    assert rendered("<tr><th>a<tr><td>1|2<td>3<tr><td>4", "markdown") == (
        "| a |  |\n| --- | --- |\n| 1\\|2 | 3 |\n| 4 |  |"
    )


def test_head_and_foot_are_rows_of_the_same_table() -> None:
    table = (
        "<thead><tr><th>a<th>b</thead><tbody><tr><td>1<td>2</tbody><tfoot><tr><td>3<td>4</tfoot>"
    )

    assert rendered(table) == "a | b\n1 | 2\n3 | 4"


def test_headings_may_head_the_columns() -> None:
    assert rendered("<tr><th><h3>year</h3><th><h3>rain</h3><th><tr><td>1<td>2<td>3") == (
        "year | rain | \n1 | 2 | 3"
    )


def test_the_caption_stands_before_the_rows() -> None:
    assert rendered(f"<caption>Weather</caption>{HEAD}<tr><td>1<td>2<td>3") == (
        "Weather\n\nyear | rain | snow\n1 | 2 | 3"
    )


@pytest.mark.parametrize(
    "layout",
    [
        "<tr><td><table><tr><td>a<td>b</table><td>menu",
        "<tr><td><h2>a</h2><td>menu",
        "<tr><th>a<th>b<tr><td><h2>a</h2><td>menu",
        "<tr><td>" + "word " * 80 + "<td>menu",
        "<tr><td>one<tr><td>column",
    ],
    ids=["table inside", "heading inside", "heading below", "long cell", "one column"],
)
def test_a_table_that_lays_out_a_page_is_no_grid(layout: str) -> None:
    blocks = read_blocks(f"<body><table>{layout}</table>")

    outer = [blocks.texts.index(text) for text in ("menu", "one") if text in blocks.texts]
    assert [Grids(blocks).table_of(block) for block in outer] == [-1]


def test_a_row_of_which_nothing_is_kept_is_left_out_and_columns_stay() -> None:
    blocks = read_blocks(
        "<body><table><tr><th>a<th>b<tr><td rowspan=3>1<td>2<tr><td>3<tr><td>4</table>"
    )

    assert render(blocks, [0, 1, 2, 3, 5], "plain") == "a | b\n1 | 2\n | 4"


def test_spans_without_sense_are_bounded() -> None:
    assert rendered("<tr><th>a<th>b<tr><td colspan=0>1<td rowspan=99999999999>2<tr><td>3") == (
        "a | b\n1 | 2\n3"
    )
    assert len(rendered("<tr><th>a<th>b<tr><td colspan=9999>1<td>2")) < 1000
