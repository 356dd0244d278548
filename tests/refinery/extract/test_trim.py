import pytest
from selectolax.lexbor import LexborHTMLParser

from refinery.extract.tags import write_body
from refinery.extract.trim import trim_markup

CUT = [
    "<script>a < b</script>",
    "<SCRIPT type='x'>var a = '<p>';</Script >",
    "<style>p {}</style>",
    "<!-- <script> -->",
    "<script><!-- a --></script>",
    "<iframe src=a>b</iframe>",
    "<!---->",
    "<!-->",
    "<!--[if IE]><p><![endif]-->",
    '<script>document.write("<style>")</script><style></style>',
]
# What a cut up to the next closing tag would get wrong.
LEFT = [
    "<title>How to use <script></title><p>text<script>1</script>",
    "<textarea><script></textarea><p>text<script>1</script>",
    "<p title='<script>'>text</p><script>1</script>",
    "<p>text<script>1",
    "<p>text<script/><p>2<script>3</script><p>text<script>4</script>",
    "<noscript><iframe></iframe></noscript><title>text</title>",
    "<iframe><script></iframe><p>text<script>1</script>",
    "<scripture>text</scripture>",
    "<svg><script href='x'/></svg><p>text<script>1</script>",
    "<script><!-- <script></script> 1 --></script><p>text",
    "<script>1</scripts> </script><p>text",
    "<!-- a --!><p>text<!-- b -->",
    "<p>text<!-- a",
]


def shown(markup: str | bytes) -> str:
    """The text that a parser shows."""
    body = LexborHTMLParser(markup).body
    assert body is not None
    body.strip_tags(["script", "style", "iframe"])
    return body.text()


@pytest.mark.parametrize("junk", CUT)
def test_what_is_no_text_is_cut(junk: str) -> None:
    trimmed = trim_markup(f"<body>a{junk}b")

    assert trimmed.markup == b"<body>ab"
    assert not trimmed.is_raw_left


@pytest.mark.parametrize("page", LEFT)
def test_no_text_is_cut(page: str) -> None:
    assert shown(trim_markup(page).markup) == shown(page)


@pytest.mark.parametrize("page", [*LEFT, *CUT, "<p>a<template>b</template>c<iframe>d</iframe>"])
def test_what_is_left_of_scripts_is_told(page: str) -> None:
    trimmed = trim_markup(page)

    body = write_body(LexborHTMLParser(trimmed.markup), is_raw_left=trimmed.is_raw_left)

    assert body is not None
    assert not any(
        f"<{name}" in body for name in ("script>", "script ", "style", "template", "ifr")
    )


def test_scripts_are_found_where_they_stand() -> None:
    page = 'é<script type="application/ld+json">{}</script>b<script>c</script>'

    trimmed = trim_markup(page)

    assert [trimmed.page[first:end].decode() for first, end in trimmed.scripts] == [
        '<script type="application/ld+json">{}</script>', "<script>c</script>",
    ]  # fmt: skip
