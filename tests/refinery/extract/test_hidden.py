"""What a page hides: remarks inside a line are left out, hidden parts are told to the classifier."""

import pytest

from refinery.extract.blocks import read_blocks
from refinery.extract.hidden import Hidden


@pytest.mark.parametrize(
    "attribute",
    ['style="display:none"', 'style="color:red; DISPLAY : none"', 'style="visibility: hidden"',
     "hidden", 'hidden=""', 'hidden="hidden"'],
)  # fmt: skip
def test_a_hidden_remark_inside_a_line_is_left_out(attribute: str) -> None:
    page = f"<body><p>twelve <span {attribute}>00012</span><b>cores</b></p>"

    assert read_blocks(page).texts == ["twelve cores"]


@pytest.mark.parametrize(
    "markup",
    [
        '<span aria-hidden="true">cores</span>',
        '<span style="display:inline">cores</span>',
        '<span data-hidden="true">cores</span>',
        '<span title="display:none">cores</span>',
        '<span class="more" style="display:none">cores</span>',
        '<span hidden="until-found">cores</span>',
        "<code>display:none</code>",
    ],
)
def test_what_a_reader_sees_or_unfolds_stays_in_its_line(markup: str) -> None:
    text = read_blocks(f"<body><p>twelve {markup} here</p>").texts[0]

    assert text in ("twelve cores here", "twelve display:none here")


def test_hidden_parts_are_marked_and_kept_for_the_classifier() -> None:
    page = (
        '<body><div style="display:none"><p>keywords</p></div><p hidden>draft</p>'
        '<div class="accordion-panel" hidden><p>answer</p></div><p aria-hidden="true">icon</p><p>text'
    )

    blocks = read_blocks(page)

    assert blocks.texts == ["keywords", "draft", "answer", "icon", "text"]
    bits = {
        blocks.texts[block]: int(blocks.hidden_bits[element] | blocks.hidden_bits[above])
        for block, element in enumerate(blocks.elements.tolist())
        for above in [int(blocks.parents[element])]
    }
    assert bits == {
        "keywords": 1 << Hidden.FROM_ALL,
        "draft": 1 << Hidden.FROM_ALL,
        "answer": 1 << Hidden.UNFOLDING,
        "icon": 1 << Hidden.FROM_READERS,
        "text": 0,
    }
