"""What a page says about itself: descriptions, JSON-LD, and its kind."""

import pytest

from refinery.extract.hints import MOST_DATA_BYTES, NUM_HINTS, Hints, read_hints
from refinery.extract.scan.read import read_tags
from refinery.extract.tag_kinds import NAME_WORDS

ARTICLE, PRODUCT, DISCUSSION, WEBSITE = 0, 1, 2, 7


def hints(html: str) -> Hints:
    return read_hints(read_tags(html, NAME_WORDS))


def kinds(html: str) -> list[int]:
    """Kinds of page that are declared; the last flag tells whether anything was said."""
    return [kind for kind, flag in enumerate(hints(html).flags[:-1]) if flag]


@pytest.mark.parametrize(
    "tag",
    ['<meta name="description" content="Of oaks &amp; elms">',
     "<META property='og:description' content='Of oaks &amp; elms'>"],
)  # fmt: skip
def test_the_description_is_said(tag: str) -> None:
    assert hints(f"<head>{tag}</head><p>text").said == "Of oaks & elms"


def test_a_description_in_the_body_is_none() -> None:
    page = '<head></head><body><meta name="description" content="Of oaks and of elms">'

    assert hints(page) == Hints()


def test_bodies_in_json_ld_are_said_without_their_markup() -> None:
    body = "<p>Oaks\\u00a0grow slowly,</p> and live long in England."
    page = f'<script type="application/ld+json">{{"articleBody": "{body}"}}</script>'

    assert hints(page).said == "Oaks grow slowly, and live long in England."


def test_broken_json_ld_tells_as_much() -> None:
    page = '<script type="application/ld+json">{"@type": "NewsArticle", "text": ,,</script>'

    assert kinds(page) == [ARTICLE]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<script type="application/ld+json">{"@type":["Product","Thing"]}</script>', [PRODUCT]),
        ('<script type="application/ld+json">{"@type":"QAPage"}</script>', [DISCUSSION]),
        ('<head><meta property="og:type" content="website"></head>', [WEBSITE]),
        ('<script>{"@type": "Product"}</script>', []),
        ('<script type="application/ld+json">{"@type": "Person"}</script>', []),
    ],
)
def test_the_kind_of_page_is_a_flag(html: str, expected: list[int]) -> None:
    assert kinds(html) == expected


def test_the_last_flag_tells_that_something_was_said() -> None:
    assert hints("<p>a").flags == (0.0,) * NUM_HINTS
    assert hints('<head><meta name="description" content="Of oaks"></head>').flags[-1] == 1


def test_json_ld_behind_a_script_that_goes_on_is_its_text() -> None:
    # "</scripts>" ends no script: browsers read on to the next closing tag.
    page = "<script>1</scripts>" + '<script type="application/ld+json">{"@type":"Product"}</script>'
    behind = '<script type="application/ld+json">{"@type":"QAPage"}</script>'

    assert kinds(page + behind) == [DISCUSSION]


def test_linked_data_are_bounded() -> None:
    filler = " " * MOST_DATA_BYTES
    late = '<script type="application/ld+json">{"@type":"Product"}</script>'

    assert kinds(f'<script type="application/ld+json">{filler}</script>{late}') == []
