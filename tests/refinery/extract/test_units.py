"""What belongs together is kept together, and what is hidden is left out."""

import numpy as np
import pytest

from refinery.extract.blocks import read_blocks
from refinery.extract.units import settle


def kept_texts(page: str, kept: list[str]) -> list[str]:
    blocks = read_blocks(f"<body>{page}")
    words = np.array([len(text.split()) for text in blocks.texts], np.float32)
    settled = settle(blocks, np.array([text in kept for text in blocks.texts]), words)
    return [text for text, keep in zip(blocks.texts, settled, strict=True) if keep]


TABLE = "<table><tr><th>year<th>rain<tr><td>2001<td>seven<tr><td>2002<td>nine</table>"
WIDE = "<table><tr><th>bay<th>first<th>last<tr><td>a<td>ten<td>fifty<tr><td>b<td>thirty<td>seventy</table>"
LONG = (
    "<table><tr><th>bay<th>seen<tr><td>a calm and shallow bay"
    "<td>by five of us on a morning in May of last year</table>"
)
ANSWER = "<details><summary>Why?</summary><p>Because the lake froze early.</p></details>"
TERMS = "<dl><dt>varve<dd>a layer of one year</dl>"
PROSE = "<p>" + "The lake was calm in the morning of that day. " * 4 + "</p>"
PROSE_TEXT = ("The lake was calm in the morning of that day. " * 4).strip()


@pytest.mark.parametrize(
    ("unit", "kept", "whole"),
    [
        (
            TABLE,
            ["2001", "seven", "2002", "nine"],
            ["year", "rain", "2001", "seven", "2002", "nine"],
        ),
        (ANSWER, ["Because the lake froze early."], ["Why?", "Because the lake froze early."]),
        (TERMS, ["a layer of one year"], ["varve", "a layer of one year"]),
        # Less than half of a table: its rows are units, so that no value loses its label.
        (TABLE, ["nine"], ["2002", "nine"]),
        (WIDE, ["thirty"], []),
        (WIDE, ["thirty", "seventy"], ["b", "thirty", "seventy"]),
        # A text is kept even where the cut left out most of its row.
        (LONG, ["a calm and shallow bay"], ["a calm and shallow bay"]),
        # Less than half of the others: the cut decides.
        (ANSWER, ["Why?"], ["Why?"]),
    ],
)
def test_a_unit_of_which_half_is_kept_is_kept_whole(
    unit: str, kept: list[str], whole: list[str]
) -> None:
    assert kept_texts(f"<p>menu</p>{unit}", kept) == whole


CODE = "<pre>a = 1\nb = 2</pre>"
CODE_TEXT = "a = 1\nb = 2"
CELLS = ["year", "rain", "2001", "seven", "2002", "nine"]
LAYOUT = "<table><tr><td><h1>Menu</h1><td>links<tr><td>home<td>shop</table>"


@pytest.mark.parametrize(
    ("between", "brought_back"),
    [
        (CODE, [CODE_TEXT]),
        (TABLE, CELLS),
        (CODE + TABLE + CODE, [CODE_TEXT, *CELLS, CODE_TEXT]),
        # The language, the button to copy it.
        (f"<p>python</p>{CODE}<p>Copy code</p>", [CODE_TEXT]),
        (f"<p>Copy code</p>{TABLE}", []),
        # Something else that was left out stands there, too: it may be another part of the page.
        (f"{CODE}<p>Buy it now</p>", []),
        (f"<p>Buy now</p>{TABLE}", []),
        # Not a table of data.
        (LAYOUT, []),
    ],
)
def test_code_and_tables_between_two_texts_belong_to_them(
    between: str, brought_back: list[str]
) -> None:
    page = f"<p>We set both:</p>{between}<p>Now both are set.</p>"

    kept = ["We set both:", "Now both are set."]
    assert kept_texts(page, kept) == [kept[0], *brought_back, kept[1]]
    # At an end of what is kept it may be the next part of the page.
    assert kept_texts(page, kept[:1]) == kept[:1]
    assert kept_texts(page, []) == []


def test_a_hidden_part_is_left_out_where_the_page_shows_more() -> None:
    hidden = '<div style="display:none"><p>cheap flights and hotels</p></div>'

    assert kept_texts(PROSE + hidden, [PROSE_TEXT, "cheap flights and hotels"]) == [PROSE_TEXT]


@pytest.mark.parametrize(
    "page",
    [
        f'<div style="visibility:hidden">{PROSE}</div><p>menu</p>',
        f'<p>menu</p><div class="tab-pane" style="display:none">{PROSE}</div>',
    ],
    ids=["shown once it is loaded", "unfolds"],
)
def test_a_hidden_part_that_is_the_page_stays(page: str) -> None:
    assert kept_texts(page, [PROSE_TEXT]) == [PROSE_TEXT]


LONG = "A varve is a layer of silt and clay that one year laid down."


@pytest.mark.parametrize(
    ("page", "num"),
    [
        (f"<p>{LONG}<div><p>{LONG}</div>", 1),
        (f"<p>{LONG[:39]}<p>{LONG[:39]}", 2),
        (f"<p>{LONG[:40]}<p>{LONG[:40]}", 1),
        (f"<pre>{LONG}</pre><pre>{LONG}</pre>", 2),
        (f"<p>{LONG}<pre>x = 1</pre><p>{LONG}", 2),
        (f"<table><tr><th>a<th>b<tr><td>x<td>{LONG}<tr><td>y<td>{LONG}</table>", 2),
        (f"<p>{LONG}<p>{LONG} ", 1),
        (f"<p>{LONG}<p>{LONG.upper()}", 2),
    ],
)
def test_a_long_text_is_given_once_but_beside_code_and_in_cells(page: str, num: int) -> None:
    kept = kept_texts(page, read_blocks(page).texts)

    assert sum(text.lower().startswith("a varve") for text in kept) == num


def test_a_text_that_the_cut_left_out_makes_no_later_one_a_repeat() -> None:
    blocks = read_blocks(f"<p>{LONG}<p>{LONG}")

    settled = settle(blocks, np.array([False, True]), np.array([13, 13], np.float32))

    assert settled.tolist() == [False, True]
