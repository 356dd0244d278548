"""Features of small pages against values that were worked out by hand."""

import math

import numpy as np
import pytest

from refinery.extract.blocks import read_blocks
from refinery.extract.feature_layout import feature_names
from refinery.extract.features import PageFeatures, compute_features

PAGE = (
    "<title>Oaks of England</title><body><nav class=menu><a href=a>Home</a> <a href=b>All trees"
    "</a></nav><main><h1>Oaks of England</h1><p>Oaks grow slowly, and live long.<p>樹木很高。"
    "<img src=x alt=y></main><footer>2020 <b>Trees</b></footer>"
)
BLOCKS = ["Home All trees", "Oaks of England", "Oaks grow slowly, and live long.", "樹木很高。",
    "2020 Trees"]  # fmt: skip


@pytest.fixture(scope="module")
def page() -> PageFeatures:
    blocks = read_blocks(PAGE)
    assert blocks.texts == BLOCKS
    return compute_features(blocks)


def row(page: PageFeatures, name: str) -> list[float]:
    values: list[float] = page.rows[:, feature_names().index(name)].tolist()
    return values


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("text.LOG_CHARS", [math.log1p(len(text)) for text in BLOCKS]),
        # A word per blank and one more; Han characters are words of their own.
        ("text.LOG_WORDS", [math.log1p(words) for words in (3, 3, 6, 5, 2)]),
        ("text.LINKED_FRACTION", [13 / 14, 0, 0, 0, 0]),
        ("text.NUM_LINKS", [2, 0, 0, 0, 0]),
        ("text.NUM_STOPS", [0, 0, 1, 1, 0]),
        ("text.COMMAS_PER_WORD", [0, 0, 1 / 6, 0, 0]),
        ("text.WIDE_FRACTION", [0, 0, 0, 4 / 5, 0]),
        ("text.UPPER_FRACTION", [2 / 14, 2 / 15, 1 / 32, 0, 1 / 10]),
        ("text.DIGIT_FRACTION", [0, 0, 0, 0, 4 / 10]),
        ("text.CHARS_PER_WORD", [14 / 3, 5, 32 / 6, 1, 5]),
        ("text.ENDS_WITH_STOP", [0, 0, 1, 1, 0]),
        ("text.BEGINS_WITH_UPPER", [1, 1, 1, 0, 0]),
        ("text.BEGINS_WITH_DIGIT", [0, 0, 0, 0, 1]),
        ("text.BOLD_FRACTION", [0, 0, 0, 0, 5 / 10]),
        ("text.TITLE_MATCH", [0, 1, 0, 0, 0]),
        ("text.NUM_EQUAL_BLOCKS", [1, 1, 1, 1, 1]),
        ("text.NUM_IMAGES", [0, 0, 0, 0, 1]),
        ("own.IS_HEADING", [0, 1, 0, 0, 0]),
        ("own.NUM_H1", [0, 1, 1, 1, 1]),
        ("own.IS_IN_NAV", [1, 0, 0, 0, 0]),
        ("own.IS_IN_MAIN", [0, 1, 1, 1, 0]),
        ("own.MENU_ABOVE", [1, 0, 0, 0, 0]),
        ("own.MENU_NEAR", [1, 0, 0, 0, 0]),
        ("own.DEPTH", [1, 2, 2, 2, 1]),
        ("position.INDEX_FRACTION", [0, 0.2, 0.4, 0.6, 0.8]),
        ("position.WORDS_BEFORE_FRACTION", [0, 3 / 19, 6 / 19, 12 / 19, 17 / 19]),
        ("position.PAGE_STOP_FRACTION", [0.4] * 5),
        ("position.PAGE_IMAGES_PER_BLOCK", [0.2] * 5),
        ("shift_-1.text.ENDS_WITH_STOP", [-1, 0, 0, 1, 1]),
        ("shift_+2.text.NUM_STOPS", [1, 1, 0, -1, -1]),
        ("window_3_before.WORDS", [0, 3 / 3, 6 / 3, 12 / 3, 14 / 3]),
        ("window_3_behind.HEADINGS", [1 / 3, 0, 0, 0, 0]),
        # The container of the three middle blocks is <main>: 14 words, of 19 on the page.
        ("level_1.WORDS_OF_PAGE", [1, 14 / 19, 14 / 19, 14 / 19, 1]),
        ("level_1.PARAGRAPHS_PER_BLOCK", [2 / 5, 2 / 3, 2 / 3, 2 / 3, 2 / 5]),
        ("level_1.INDEX_FRACTION", [0, 0, 1 / 3, 2 / 3, 4 / 5]),
        # Both paragraphs stand under one path.
        ("siblings_of_element.LOG_BLOCKS", [math.log1p(num) for num in (1, 1, 2, 2, 1)]),
        ("siblings_of_element.WORDS_PER_BLOCK", [3, 3, 5.5, 5.5, 2]),
    ],
)
def test_features_by_hand(page: PageFeatures, name: str, values: list[float]) -> None:
    assert row(page, name) == pytest.approx(values)


def test_words_and_facts_go_to_the_cut(page: PageFeatures) -> None:
    assert page.words.tolist() == [3, 3, 6, 5, 2]
    assert page.facts[0] == pytest.approx(0.8 / 5)  # mean share of wide characters
    assert page.facts[1:] == (0.0,) * 10  # the page says nothing about itself


def test_a_block_that_begins_like_the_description_is_marked() -> None:
    said = "Oaks grow slowly and live for many hundred years in England."
    html = f'<head><meta name="description" content="{said}"></head><body><p>{said} More.<p>Short.'

    page = compute_features(read_blocks(html + "<p>Quite another sentence, of enough letters."))

    assert row(page, "text.SAID_MATCH") == [1, -1, 0]
    assert page.facts[-1] == 1


def test_equal_blocks_are_counted() -> None:
    page = compute_features(read_blocks("<body><p>Reply<p>One<p>Reply<p>Reply"))

    assert row(page, "text.NUM_EQUAL_BLOCKS") == [3, 1, 3, 3]


def test_every_feature_of_every_block_is_filled() -> None:
    rows = compute_features(read_blocks("<body>x")).rows

    assert rows.shape == (1, len(feature_names()))
    assert np.isfinite(rows).all()
