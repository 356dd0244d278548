"""Kinds of tags: what ends a line, and what stays inside of it."""

import pytest

from refinery.extract.blocks import read_blocks
from refinery.extract.scan.read import read_tags
from refinery.extract.tag_kinds import NAME_WORDS, Kind
from refinery.extract.tag_texts import Drawing, read_tag_texts


def texts(body: str) -> list[str]:
    return read_blocks(f"<body>{body}").texts


@pytest.mark.parametrize(
    "name",
    ["st1:city", "o:p", "x-term", "output", "meter", "progress", "slot", "rb", "rtc", "blink", "gcse",
     "time", "data", "label", "msqrt", "text-highlight", "averyveryverylongname-of-sixteen"],
)  # fmt: skip
def test_names_that_no_standard_lays_out_stay_inside_the_line(name: str) -> None:
    assert texts(f"<p>sent from <{name}>Geneva</{name}> by train</p>") == [
        "sent from Geneva by train"
    ]


@pytest.mark.parametrize(
    "name",
    ["address", "article", "aside", "blockquote", "center", "dd", "details", "dir", "div", "dl", "dt",
     "fieldset", "figcaption", "figure", "footer", "form", "h1", "header", "hgroup", "legend", "li",
     "listing", "main", "menu", "nav", "ol", "p", "pre", "search", "section", "summary", "ul", "xmp"],
)  # fmt: skip
def test_names_that_the_standard_lays_out_as_blocks_end_the_line(name: str) -> None:
    assert texts(f"<div>before<{name}>inside</{name}>after</div>") == ["before", "inside", "after"]


def test_an_unknown_element_that_holds_a_block_is_a_block() -> None:
    assert texts("<x-app><x-card>one<p>two</p></x-card><x-card>three<p>four</x-card></x-app>") == [
        "one", "two", "three", "four",
    ]  # fmt: skip


def test_kinds_are_told_without_reading_texts() -> None:
    tags = read_tags("<body><x-a><p>x</p></x-a><x-b>y</x-b></body>", NAME_WORDS).tags
    assert tags is not None

    kinds = read_tag_texts(tags, Drawing()).kinds.tolist()

    block, closing = int(Kind.BLOCK), int(Kind.CLOSING)
    assert kinds == [block, block, block, closing, closing, int(Kind.INLINE), closing, closing]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<p>月亮\n 升起来了</p>", "月亮升起来了"),
        ("<p>これは\nペンです。\nはい</p>", "これはペンです。はい"),
        ("<p>用 Spark\n 计算</p>", "用 Spark 计算"),
        ("<p>월요일\n 아침</p>", "월요일 아침"),
        ("<p>a\n b</p>", "a b"),
        ("<p>月 亮</p>", "月 亮"),
    ],
)
def test_a_line_end_between_chinese_characters_is_no_space(body: str, text: str) -> None:
    assert texts(body) == [text]


def test_two_breaks_leave_an_empty_line() -> None:
    assert texts("<p>roses<br>violets<br> <br>sugar<br><br><br>you<br><br></p>") == [
        "roses\nviolets\n\nsugar\n\nyou"
    ]
