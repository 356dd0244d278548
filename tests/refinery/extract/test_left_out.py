"""What is left out of a line, and what looks like it and stays."""

import pytest

from refinery.extract.blocks import read_blocks
from refinery.extract.left_out import find_left_out
from refinery.extract.scan.read import read_tags
from refinery.extract.signs import SCANNED_WORDS, Signs
from refinery.extract.tag_texts import Drawing, read_tag_texts


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('<h2>C<a href="#">#</a></h2>', "C"),
        ('<h2>C# and <a href="#">F#</a></h2>', "C# and F#"),
        ('<p>see <a href="#">§ 5</a></p>', "see § 5"),
        ('<p>on <span class="page-number">page twelve</span></p>', "on page twelve"),
        ('<p>on <span class="page-nav">12</span></p>', "on 12"),
        ('<p>all <span class="not-sr-only">seen</span></p>', "all seen"),
        ('<p>1<span class="sr-only">/</span>2</p>', "1/2"),
        ('<p><span class="credit-editsections">Ann</span></p>', "Ann"),
        ("<p>x <span hidden class='sr-only'>y</span></p>", "x"),
        # The cell shows an icon, which says what the remark says.
        ('<table><td>x <span class="sr-only">y</span></table>', "x"),
        ('<table><td><svg></svg><span class="sr-only">Yes</span></table>', "Yes"),
    ],
)
def test_only_marks_beside_the_text_are_left_out(body: str, text: str) -> None:
    assert read_blocks(f"<body>{body}").texts == [text]


def test_a_heading_for_those_who_hear_the_page_is_for_the_classifier() -> None:
    assert read_blocks('<body><h2 class="sr-only">Menu</h2><p>x').texts == ["Menu", "x"]


def test_signs_tell_where_to_look() -> None:
    tags = read_tags('<body><p class="Pagenum">1</p><p class="x">2</p>', SCANNED_WORDS).tags
    assert tags is not None
    signs = Signs(tags)

    assert signs.find("pagen") == [1]
    assert not signs.has("stanza", "task")
    assert find_left_out(tags, read_tag_texts(tags, Drawing()).kinds, signs) == []
