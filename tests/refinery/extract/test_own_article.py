"""What stands behind a page's own article is another text."""

import json

import numpy as np
import pytest

from refinery.extract.blocks import read_blocks
from refinery.extract.own_article import FEWEST_WORDS, HEADLINE_CHARS
from refinery.extract.units import settle

STORY = "The lake was calm in the morning of that day. " * 6
STORY_TEXT = STORY.strip()
ARTICLE = f"<article><header><h1>A calm lake</h1></header><p>{STORY}</article>"
NEXT = "<ul><li><h4>The next story</h4><p>In the evening a storm came up, and nobody went out.</ul>"
NEXT_TEXT = "In the evening a storm came up, and nobody went out."


def kept_texts(
    body: str, *, declared: str = "NewsArticle", title: str = "A calm lake | News"
) -> list[str]:
    """Texts of a page all of whose blocks the cut keeps."""
    data = json.dumps({"@type": declared})
    blocks = read_blocks(
        f"<head><title>{title}</title><script type='application/ld+json'>{data}</script></head><body>{body}"
    )
    words = np.array([len(text.split()) for text in blocks.texts], np.float32)
    settled = settle(blocks, np.ones(len(words), np.bool_), words)
    return [text for text, keep in zip(blocks.texts, settled, strict=True) if keep]


def test_teasers_behind_the_article_with_the_headline_are_left_out() -> None:
    assert kept_texts(f"<main>{ARTICLE}{NEXT}</main>") == ["A calm lake", STORY_TEXT]


def test_what_stands_before_the_article_is_left_to_the_cut() -> None:
    assert kept_texts(f"<p>The deck of it.</p>{ARTICLE}")[0] == "The deck of it."


def test_an_article_in_several_parts_keeps_them() -> None:
    part = "<article><h2>What we saw</h2><p>A heron.</article>"

    assert kept_texts(ARTICLE + part)[-2:] == ["What we saw", "A heron."]


@pytest.mark.parametrize("declared", ["Product", "DiscussionForumPosting", "Recipe", "WebPage"])
def test_only_pages_that_declare_an_article_are_cut(declared: str) -> None:
    assert kept_texts(ARTICLE + NEXT, declared=declared)[-1] == NEXT_TEXT


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (ARTICLE + NEXT, "Another title"),
        ("<h1>A calm lake</h1>" + ARTICLE.replace("A calm lake", "Part one") + NEXT, "A calm lake"),
        # A heading of few characters stands in a title by chance.
        (ARTICLE.replace("A calm lake", "A calm lake"[: HEADLINE_CHARS - 1]) + NEXT, "A calm lake"),
        # A teaser of few words is not the page's text.
        (
            f"<article><h1>A calm lake</h1><p>{'oak ' * (FEWEST_WORDS - 4)}</article>{NEXT}",
            "A calm lake",
        ),
    ],
)
def test_an_article_that_may_not_be_the_pages_own_cuts_nothing(body: str, title: str) -> None:
    assert kept_texts(body, title=title)[-1] == NEXT_TEXT


def test_the_highest_heading_in_the_title_is_the_headline() -> None:
    body = f"<article><h3>A calm lake</h3><p>{STORY}</article><main><h1>A calm lake</h1><p>{STORY}Truly.</main>"

    assert kept_texts(body)[-1] == f"{STORY}Truly."
