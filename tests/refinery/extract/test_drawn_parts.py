"""Parts of a page that are drawn by their state, their role or from elsewhere, and lists that are none."""

import pytest

from refinery.extract.blocks import read_blocks
from refinery.extract.controls import open_windows
from refinery.extract.forms import read_lists
from refinery.extract.inner_pages import write_inner_pages
from refinery.extract.list_marks import write_number
from refinery.extract.roles import read_roles
from refinery.extract.scan.read import read_tags
from refinery.extract.signs import SCANNED_WORDS, Signs
from refinery.extract.structure import render
from refinery.extract.tag_kinds import KIND_OF, TAG_ID_OF, TAG_IDS, Kind
from refinery.extract.verse import lay_out_verse


def texts(body: str) -> list[str]:
    return read_blocks(f"<body>{body}").texts


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("<p>a <button><p>b</p></button>", ["a", "b"]),
        ("<div>a <button>b</button> c</div>", ["a", "b", "c"]),
        ("<p>a <noscript>b</noscript> c</p>", ["a", "b", "c"]),
        ('<li><input type="radio" disabled>a', ["a"]),
        ('<li><input type="checkbox">a', ["a"]),
        ("<p>a <select><option>b<option>c</select> d</p>", ["a d"]),
        ("<p>a <svg><text>" + "long " * 20 + "</text></svg> b</p>", ["a b"]),
        ("<dialog>a</dialog>b", ["b"]),
        ('<div class="universe"><p>a</p><p>b</p></div>', ["a", "b"]),
        ('<div class="stanza"><p>a</p><ul><li>b</ul></div>', ["a", "b"]),
        ('<div class="stanza"><p>a</p></div>', ["a"]),
    ],
)
def test_what_only_looks_like_such_a_part_stays_as_it_is(body: str, read: list[str]) -> None:
    assert texts(body) == read


@pytest.mark.parametrize(
    ("page", "written"),
    [
        ("<p>srcdoc", "<p>srcdoc"),
        ("<iframe srcdoc='&lt;script>x&lt;/script>&lt;p>a'></iframe>b", "<div><p>a</div>b"),
        (
            '<template><template shadowrootmode="open">a</template></template>',
            '<template><template shadowrootmode="open">a</template></template>',
        ),
        (
            '<template shadowrootmode="open">a<template>b</template></template>',
            "<div>a<template>b</template></div>",
        ),
        ("</template><template shadowrootmode=closed>a", "</template><div>a"),
    ],
)
def test_inner_pages_are_written_where_they_are_drawn(page: str, written: str) -> None:
    assert write_inner_pages(page) == written


def test_roles_leave_elements_of_html_what_they_are() -> None:
    tags = read_tags(
        '<body><h3 role="heading">a</h3><li role="listitem">b</li><i role="listitem">c</i>',
        SCANNED_WORDS,
    ).tags
    assert tags is not None
    kinds, tag_ids = KIND_OF[tags.name_ids], TAG_ID_OF[tags.name_ids]

    read_roles(tags, kinds, tag_ids, Signs(tags))
    lay_out_verse(tags, kinds, tag_ids, Signs(tags))
    open_windows(tags, kinds)

    opened = [TAG_IDS["body"], TAG_IDS["h3"], TAG_IDS["li"], TAG_IDS["li"]]
    assert tag_ids[tags.is_opening].tolist() == opened
    assert kinds[tags.is_opening].tolist() == [Kind.BLOCK] * 4


@pytest.mark.parametrize(
    ("number", "kind", "written"),
    [(28, "a", "ab"), (26, "A", "Z"), (1994, "I", "MCMXCIV"), (0, "i", "0"), (-2, "a", "-2"), (7, "1", "7")],
)  # fmt: skip
def test_numbers_are_written_as_the_list_counts(number: int, kind: str, written: str) -> None:
    assert write_number(number, kind) == written


def test_posts_of_a_thread_are_no_items() -> None:
    post = "<p>The lake was calm in the morning of that day, and nobody went out.</p>" * 13
    page = f"<body><ol><li>{post}</li><li><p>Yes.</p></li></ol>"
    blocks = read_blocks(page)

    text = render(blocks, range(len(blocks.texts)), "plain")

    assert text.startswith("The lake was calm")
    assert text.endswith("nobody went out.\n\nYes.")
    item = blocks.parents[blocks.elements[0]]
    assert not read_lists(blocks)[blocks.parents[item]]
