"""Text that a page holds for its scripts alone: found where it is prose, bounded where it is hostile."""

import json

import pytest

from refinery.extract.classifier import all_text, extract_main_text
from refinery.extract.page_data import held_text

SENTENCES = [
    f"The ice of lake number {i} broke early in the spring of that year." for i in range(20)
]
PROSE = " ".join(SENTENCES)
MARKUP = "".join(f"<p>{sentence}</p>" for sentence in SENTENCES)
PARAGRAPHS = "\n\n".join(SENTENCES)
STATE = {"props": {"pageProps": {"post": {"id": "a" * 300, "body": MARKUP}}}}
CHINESE = "湖水很深，冬天结冰，船只停在岸边。" * 20


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            f'<script id="__NEXT_DATA__" type="application/json">{json.dumps(STATE)}</script>',
            PARAGRAPHS,
        ),
        (f"<script>window.__STATE__ = {json.dumps({'a': [{'text': PROSE}]})};</script>", PROSE),
        (
            f"<script>window.a=JSON.parse({json.dumps(json.dumps({'b': CHINESE}))})</script>",
            CHINESE,
        ),
        (
            "<script>var d = "
            + json.dumps([{"type": "p", "text": s} for s in SENTENCES])
            + "</script>",
            PARAGRAPHS,
        ),
        (f"<template>{MARKUP}</template>", PARAGRAPHS),
        (f'<script type="text/template">{MARKUP}</script>', PARAGRAPHS),
        (f'<textarea style="display:none">{MARKUP.replace("<", "&lt;")}</textarea>', PARAGRAPHS),
        (f"<code class=hidden><!-- {MARKUP} --></code>", PARAGRAPHS),
    ],
    ids=["next", "state", "parsed", "parts", "template", "script", "textarea", "comment"],
)
def test_a_page_that_shows_nothing_gives_what_its_scripts_would_draw(body: str, text: str) -> None:
    main = extract_main_text(f"<html><body><div id=app></div>{body}</body></html>", "plain")

    assert main.is_held
    assert main.wall is None
    assert main.text == text


@pytest.mark.parametrize(
    "body",
    [
        "<script>window.a = " + json.dumps({"key": "0123456789abcdef" * 100}) + "</script>",
        "<script>var messages = " + json.dumps({f"label{i}": "Add to cart" for i in range(99)}) + "</script>",
        "<script>function f(){var x = " + "a=b;" * 500 + "}</script>",
        "<template>" + MARKUP.replace("lake", "{{lake}}") + "</template>",
        '<script src="x.js">window.a = ' + json.dumps({"t": PROSE}) + "</script>",
    ],
    ids=["key", "labels", "code", "fields", "source"],
)  # fmt: skip
def test_what_is_no_prose_is_no_text(body: str) -> None:
    assert held_text(body, all_text) == ""


def test_shown_text_is_preferred() -> None:
    page = f"<body><article>{MARKUP}</article><script>var a = {json.dumps([CHINESE])}</script>"

    main = extract_main_text(page, "plain")

    assert not main.is_held
    assert main.text == PARAGRAPHS


@pytest.mark.parametrize(
    "page",
    ["<script>" * 50_000, "<template>" * 50_000, "<script>" + "var a=[" * 50_000 + "</script>",
     "<script>" + "JSON.parse(\"" * 50_000 + "</script>", "<code><!--" * 50_000],
    ids=["scripts", "templates", "lists", "parsed", "comments"],
)  # fmt: skip
def test_hostile_pages_give_nothing_and_end(page: str) -> None:
    assert held_text(page, all_text) == ""
