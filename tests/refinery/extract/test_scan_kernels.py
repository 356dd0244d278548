"""The kernels of the page scan on small and hostile inputs; CI runs them with bounds checked, and as Python."""

import html
import random

import numpy as np
import pytest

from refinery.extract.scan.builder import FULL, OUT, TAGS, build_table, new_builder
from refinery.extract.scan.names import number_of
from refinery.extract.scan.page import read_page
from refinery.extract.scan.read import read_tags
from refinery.extract.scan.references import write_byte, write_point
from refinery.extract.scan.stack import count_cell
from refinery.extract.scan.tables import is_part, is_section
from refinery.extract.scan.tokens import comment_end, raw_end, script_end
from refinery.extract.scan.tree import insert_void
from refinery.extract.scan.values import number_in, says_shape, word_bits
from refinery.extract.scan.writing import copy_name, copy_text
from refinery.extract.tag_kinds import NAME_WORDS

PAGE = (
    b"<!doctype html><meta content=x><title>\xc3\xa9</title><p class='\xe6\xbc\xa2 nav' hidden>x&eacute;&#x41;<!--c-->"
    b"<script>1</script><table>m<td colspan=2>\xc3\xbc<b><p>y</b>z</table><svg/><![CDATA[q]]><select><option>o"
)


def source(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


@pytest.mark.parametrize("length", range(0, len(PAGE) + 1, 3))
def test_a_page_may_end_anywhere(length: int) -> None:
    scan = read_tags(PAGE[:length].decode("utf-8", "replace"), NAME_WORDS)

    assert scan.tags is not None
    assert scan.tags.text.startswith("<body")
    assert scan.tags.text.endswith("</body>")


def test_any_bytes_are_read() -> None:
    generator = random.Random(0)
    pieces = [
        *(bytes([i]) for i in range(256)),
        *(b"<", b">", b"</", b"&", b"&#", b"'", b"=", b"<!--", b"<td", b"<p ") * 16,
    ]
    for _ in range(40):
        data = b"".join(generator.choices(pieces, k=60))
        builder = new_builder(data, build_table(NAME_WORDS), room=1, is_quirks=True)

        read_page(builder)

        assert builder.state[FULL] == 0
        written = builder.out[: builder.state[OUT]].tobytes()
        assert written.count(b"<") == builder.state[TAGS]


def test_without_room_nothing_is_written_beyond_it() -> None:
    builder = new_builder(b"<p>x", build_table(NAME_WORDS), room=1, is_quirks=True)
    small = builder._replace(tags=np.empty((3, 10), np.int64))

    read_page(small)

    assert small.state[FULL] == 1
    assert small.state[TAGS] <= 3


@pytest.mark.parametrize(
    ("comment", "end"),
    [(b"<!-- a -->x", 10), (b"<!-->x", 5), (b"<!--->x", 6), (b"<!--a--!>x", 9), (b"<!a>x", 4), (b"<!--a", 5), (b"<?a>x", 4)],
)  # fmt: skip
def test_a_comment_ends_where_the_standard_says(comment: bytes, end: int) -> None:
    assert comment_end(source(comment), 0) == end


def test_a_script_may_hold_a_script_behind_the_mark_of_a_comment() -> None:
    page = b"<script><!--<script></script>--></script>"

    assert script_end(source(page), 8, 1) == 32
    assert script_end(source(b"<script><script></script></script>"), 8, 1) == 16


def test_templates_hold_templates() -> None:
    page = b"<template><template></template></template>"

    assert raw_end(source(page), 10, 1, 8, True) == 31
    assert raw_end(source(page), 10, 1, 8, False) == 20


@pytest.mark.parametrize("point", [0x41, 0x26, 0x3C, 0xE9, 0x6F22, 0x1D11E])
def test_characters_are_written_in_utf_8_and_escaped(point: int) -> None:
    out = np.zeros(16, np.uint8)

    end = write_point(out, 0, point, False)

    assert out[:end].tobytes().decode() == html.escape(chr(point), quote=False)
    assert write_byte(out, 0, 0x22, True) == len("&quot;")


def test_values_are_told_by_their_bytes() -> None:
    table = build_table(NAME_WORDS)
    value = b"My-Comments xNAVx"
    words = sum(1 << NAME_WORDS.index(word) for word in ("comment", "nav"))

    assert word_bits(table, source(value), 0, len(value)) == words
    assert [number_in(source(v), 0, len(v)) for v in (b"12", b"", b"12345", b"1a")] == [
        12,
        -1,
        -1,
        -1,
    ]
    assert [says_shape(source(v), 0, len(v)) for v in (b"DISPLAY:None", b"nothing", b"hid")] == [
        True,
        False,
        False,
    ]


def test_names_are_told_by_number() -> None:
    assert is_section(number_of("thead"))
    assert not is_part(number_of("table"))
    assert count_cell(number_of("p"), 5) != count_cell(0, 5)


def test_names_and_text_are_written_as_they_are_read() -> None:
    builder = new_builder(b"a\r\nb\0&lt;", build_table(NAME_WORDS), room=1, is_quirks=True)

    end = copy_text(builder, 0, 9, copy_name(builder, number_of("figcaption"), 0), False, False)

    assert builder.out[:end].tobytes() == b"figcaptiona\nb&lt;"
    insert_void(builder, number_of("br"))
    assert builder.out[: builder.state[OUT]].tobytes() == b"<br>"


def test_frames_and_templates_tell_where_their_opening_tags_are() -> None:
    html = "<head><template a=1>x</template></head><body>é<iframe srcdoc='<p>y'></iframe><TEMPLATE>"

    scan = read_tags(html, NAME_WORDS)

    assert [scan.page[first:end] for first, end in scan.inner_tags] == [
        b"<template a=1>", b"<iframe srcdoc='<p>y'>", b"<TEMPLATE>",
    ]  # fmt: skip
