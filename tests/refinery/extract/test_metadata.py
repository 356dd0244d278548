import time
from datetime import date

import pytest

from refinery.extract.classifier import extract_main_text
from refinery.extract.metadata import linked_text, read_facts

ARTICLE = "Long ago in a far away land there was a text. " * 40
LINKED = (
    '<html><body><script type="application/ld+json">'
    '{"@graph": [{"@type": "Article", "articleBody": "%s", "headline": "T"}]}</script></body>'
)


@pytest.mark.parametrize(
    "head",
    [
        '<script type="application/ld+json">{"datePublished": "2024-05-06T07:08:09Z"}</script>',
        '<meta property="article:published_time" content="2024-05-06">',
        '<meta content="2024-05-06T00:00" property="article:published_time">',
        "<time datetime='2024/05/06'>",
    ],
)
def test_the_date_is_read_where_the_page_gives_it(head: str) -> None:
    assert read_facts(f"<html lang='zh-Hans'><head>{head}</head>").published == date(2024, 5, 6)


def test_language_is_the_declared_one() -> None:
    assert read_facts('<!doctype html><html class="x" lang=zh-CN>').language == "zh-cn"
    assert read_facts("<html><body lang=en>").language is None


def test_a_date_that_is_none_is_not_read() -> None:
    assert read_facts('<time datetime="2024-19-45">').published is None


def test_text_that_a_page_holds_only_as_data_is_used() -> None:
    main = extract_main_text(LINKED % ARTICLE, "plain")

    assert main.is_linked
    assert main.text == ARTICLE.strip()


def test_shown_text_is_preferred_to_data() -> None:
    page = (LINKED % "short").replace("</body>", f"<article><p>{ARTICLE}</p></article></body>")

    main = extract_main_text(page, "plain")

    assert not main.is_linked
    assert main.text == ARTICLE.strip()


def test_broken_data_is_no_text() -> None:
    assert linked_text('<script type="application/ld+json">{"a": </script>') == ""


BODY = "The lake was calm. " * 20


def test_paragraphs_in_a_list_are_a_body() -> None:
    script = f'{{"@type": ["Article"], "articleBody": ["{BODY}", 7, "Second part."]}}'

    page = f'<script type="application/ld+json">{script}</script>'

    assert linked_text(page) == f"{BODY.strip()}\nSecond part."


@pytest.mark.parametrize(
    "script",
    [
        '//<![CDATA[\n{"articleBody": "%s"}\n//]]>',
        '/*<![CDATA[*/{"articleBody": "%s"}/*]]>*/',
        '<!--\n{"articleBody": "%s"}\n-->',
        '\ufeff{"articleBody": "%s"};',
        '{"articleBody": "%s"},',
        '[{"@type": "Thing"}, {"articleBody": "%s",},]',
        '{"@type": "Thing"}\n{"articleBody": "%s"}',
        "{&quot;articleBody&quot;: &quot;%s&quot;}",
        '/* [not this] */ {"url": "https://a.example/b", // where\n "articleBody": "%s"}',
        'window.data = {"articleBody": "%s"};',
    ],
)
def test_what_stands_around_linked_data_is_no_part_of_it(script: str) -> None:
    page = f'<script type="application/ld+json">{script % BODY}</script>'

    assert linked_text(page) == BODY.strip()


@pytest.mark.parametrize(
    "script",
    ["x" * 200_000, "[" * 50_000, "{" * 50_000, "/*" * 50_000, '{"' * 50_000, '{"a": "' + "\\" * 50_000],
)  # fmt: skip
def test_broken_linked_data_ends_soon(script: str) -> None:
    start = time.process_time()

    assert linked_text(f'<script type="application/ld+json">{script}</script>') == ""
    assert time.process_time() - start < 2
