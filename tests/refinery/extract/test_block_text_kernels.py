"""The kernel that writes the texts of blocks, against a plain reading by patterns."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinery.extract.blocks import read_blocks
from refinery.extract.scan.block_texts import signs_of_characters
from refinery.extract.tags import count_characters_before, find_blanks

WIDE = "\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60"
WIDE_LINE_END = re.compile(rf"(?<=[{WIDE}])[ \t]*\n\s*(?=[{WIDE}])")
PIECES = st.lists(
    st.one_of(
        st.just("<br>"),
        st.text("ab中。\u3000 \t\n\xa0\x85\u2003é\U0001f602&<", min_size=1, max_size=6),
    ),
    max_size=8,
)


def tidy(pieces: list[str]) -> str:
    """The text of a block whose pieces stand in elements of their own."""
    parts = [
        "\0"
        if piece == "<br>"
        else piece
        if any(c > " " for c in piece)
        else "\n"[: piece[0] == "\n"] or " "
        for piece in pieces
    ]
    text = WIDE_LINE_END.sub("", "".join(parts))
    lines = [" ".join(line.split()) for line in text.split("\0")]
    return re.sub("\n{3,}", "\n\n", "\n".join(lines).strip("\n"))


def markup_of(pieces: list[str]) -> str:
    escaped = [piece.replace("&", "&amp;").replace("<", "&lt;") for piece in pieces]
    return "".join(
        "<br>" if piece == "<br>" else f"<i>{text}</i>"
        for piece, text in zip(pieces, escaped, strict=True)
    )


@settings(max_examples=100, deadline=None)
@given(PIECES)
def test_lines_are_those_of_a_plain_reading(pieces: list[str]) -> None:
    text = tidy(pieces)

    assert read_blocks(f"<body><p>{markup_of(pieces)}</p>").texts == ([text] if text else [])


@settings(max_examples=40, deadline=None)
@given(PIECES)
def test_code_keeps_all_but_line_ends_around_it(pieces: list[str]) -> None:
    # A line end beside <br> is the same one; blanks that hold are blanks.
    code = "".join("\0" if piece == "<br>" else piece for piece in pieces).replace("\xa0", " ")
    code = code.replace("\0\n", "\n").replace("\0", "\n")
    is_text = any(piece != "<br>" and not piece.isspace() for piece in pieces)

    texts = read_blocks(f"<body><pre><i>.</i>{markup_of(pieces)}</pre>").texts

    assert texts == [f".{code}".strip("\n")]
    alone = read_blocks(f"<body><pre><i></i>{markup_of(pieces)}</pre>").texts
    assert alone == ([code.strip("\n")] if is_text else [])


def test_marks_are_counted_in_characters_of_the_source() -> None:
    blocks = read_blocks(
        "<body><p><a href=x> 中&amp;\n</a><a href=y></a><b>é <br>\U0001f602</b><p><b> </b>x"
    )

    assert blocks.texts == ["中& é\n\U0001f602", "x"]
    assert blocks.link_chars.tolist() == [4, 0]
    assert blocks.num_links.tolist() == [1, 0]
    assert blocks.bold_chars.tolist() == [3, 0]
    assert blocks.num_breaks.tolist() == [1, 0]


def test_images_and_controls_count_for_the_next_block() -> None:
    blocks = read_blocks("<body><img><input><p>a<img><p><img alt=':x:'><input>b<img><p>c<img>")

    assert blocks.texts == ["a", ":x:b", "c"]
    assert blocks.num_images.tolist() == [1, 1, 2]
    assert blocks.num_controls.tolist() == [1, 0, 1]


def test_blanks_are_those_of_split() -> None:
    signs = signs_of_characters()

    assert [code for code in range(1 << 16) if signs[code] & 1] == [
        code for code in range(1 << 16) if not chr(code).split()
    ]


@pytest.mark.parametrize(("offset", "count"), [(0, 0), (1, 1), (4, 2), (6, 3), (99, 4)])
def test_offsets_are_counted_in_characters(offset: int, count: int) -> None:
    counts = np.empty(2, np.int64)
    text = np.frombuffer("a漢éb".encode(), np.uint8)

    count_characters_before(text, np.array([0, offset]), counts)

    assert counts.tolist() == [0, count]


def test_text_above_a_space_is_no_blank() -> None:
    is_blank = np.empty(4, np.bool_)
    markup = np.frombuffer(b"<a> \n<b>\xa0<i><u>", np.uint8)

    find_blanks(markup, np.array([0, 5, 9, 12]), np.array([2, 7, 11, 14]), is_blank)

    assert is_blank.tolist() == [True, False, True, True]
