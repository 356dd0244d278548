"""The compiled scan of pages against lexbor, on markup that people get wrong."""

import random

import pytest

from refinery.extract.blocks import read_blocks
from refinery.extract.scan.builder import MAX_DEPTH
from refinery.extract.scan.names import BUILDER_NAMES
from refinery.extract.scan.read import read_tags
from refinery.extract.tag_kinds import NAME_WORDS
from tools.lexbor_tags import blocks_by_lexbor

PIECES = (
    "<p>", "</p>", "<div>", "</div>", "<b>", "</b>", "<a href=x>", "</a>", "<i>", "</i>", "<table>", "</table>",
    "<tr>", "<td>", "</td>", "<th>", "<tbody>", "<caption>", "<ul>", "</ul>", "<li>", "<dl>", "<dt>", "<dd>",
    "<h2>", "</h3>", "<span class='nav x'>", "</span>", "<br>", "<hr>", "<img alt=:x:>", "<form>", "</form>",
    "<button>", "<select>", "<option>", "</select>", "<pre>\n",
    "</pre>", "<ruby>", "<rt>", "one ", "two &amp; ", "&nbsp;", " ", "\n", "<!-- x -->", "<script>var a='<p>'</script>",
    "<style>p{}</style>", "<title>t</title>", "<textarea>t</textarea>", "<blockquote>", "</blockquote>", "<nobr>",
)  # fmt: skip


def both(html: str) -> tuple[list[str], list[str]]:
    return read_blocks(html).texts, blocks_by_lexbor(html).texts


@pytest.mark.parametrize(
    "html",
    [
        "<p>a<p>b<div>c</p>d", "<ul><li>a<li>b<ul><li>c</ul>d<li>e</ul>f", "<dl><dt>a<dd>b<dt>c</dl>d",
        "<h1>a<h2>b</h1>c", "<p>a<table><tr><td>b</table>c", "<!doctype html><p>a<table><tr><td>b</table>c",
        "<table>a<tr><td>b<td>c<tr><th>d</table>e", "<table><tr><td>a</td>b<td>c</tr>d</table>",
        "<table><caption>a<tr><td><table><td>b</table>c</table>d", "<table><div>a<tr><td>b</table>c",
        "<table><form><tr><td>a</form>b</table>", "<table><colgroup><col>a<tr><td>b", "<td>a<tr>b",
        "<b><p>a</b>b</p>c", "<a>x<a>y</a>z", "<i>a<b>b</i>c</b>d", "<div><b>a</div>b</b>c",
        "<form>a<div>b</form>c</div>d", "<form><form>a</form>b</form>c", "<button>a<button>b</button>c",
        "<select><option>a<option>b</select>c", "<select>a<select>b", "<select>a<input>b",
        "<svg><title>a</title><p>b", "<svg><g/>a</svg>b", "<math><mi>a</mi></math>b", "<svg><desc><p>a</desc></svg>b",
        "<ruby>a<rt>b<rt>c</ruby>d", "</p>a</br>b", "a</body>b</html>c<p>d", "<head><p>a</head>b",
        "<head><noscript><img>a</noscript></head><body class=x>b", "<title>a</title><noscript>b</noscript>c",
        "<noscript>b</noscript>c", "<iframe>a</iframe>b", "<template><p>a<template>b</template>c</template>d",
        "a < b <3 c </ x>d</>e", "a<!-->b<!--->c<!--d--!>e<!--f-->g<!h>i<?j?>k", "<p title='>' class=\">\">a",
        "<p class=a/b id=c/>a<br/>b", "<p a b=c d='e' =f>a", "<p x='a", "<p>a</p", "<p>a<", "a<p", "<xmp><b>x</xmp>y",
        "<pre>\n\na</pre>b", "<textarea>\n<p>a</textarea>b", "<frameset><frame>",
        "<script><!--<script></script>--></script>a", "<script><!-- </script>a", "<style><!-- </style>a",
        "<object>a</object>b<marquee>c</marquee>d", "<b>a<marquee>b</b>c</marquee>d", "<table><tr><td><b>a<td>b",
        "a\r\nb\rc", "\ufeff<p>a", "<p>a\0b", "<PRE>A</PRE><DIV CLASS=x>b</DIV>", "<option>a<option>b", "<li>a<p>b<li>c",
    ],
)  # fmt: skip
def test_markup_that_people_get_wrong_gives_the_same_blocks(html: str) -> None:
    ours, theirs = both(html)

    assert ours == theirs


@pytest.mark.parametrize(
    "references",
    ["&amp;&lt;&gt;&quot;&nbsp;x", "&notit; &not &amp &copy2 &AMP;", "&#x80;&#0;&#xD800;&#1114112;&#65;&#x41", "&#;&#x;&;& &a",
     "&NotEqualTilde;&nvlt;&fjlig;", "&CounterClockwiseContourIntegral;", "&zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz;"],
)  # fmt: skip
def test_references_mean_what_they_mean_to_lexbor(references: str) -> None:
    ours, theirs = both(f"<p>a{references}b<p>c")

    assert ours == theirs


def test_random_markup_is_read_alike_but_where_formatting_overlaps() -> None:
    """Formatting that overlaps with blocks moves text in lexbor's tree; here its marks overlap instead."""
    generator = random.Random(0)
    pieces = [p for p in PIECES if p not in ("<b>", "<i>", "<a href=x>", "<nobr>", "<table>")]
    pages = ["".join(generator.choices(pieces, k=12)) for _ in range(150)]

    different = [page for page in pages if both(page)[0] != both(page)[1]]

    assert different == []


def test_characters_stay_whatever_the_markup() -> None:
    generator = random.Random(1)
    for _ in range(80):
        page = "".join(generator.choices(PIECES, k=20))

        ours, theirs = (sorted("".join("".join(texts).split())) for texts in both(page))

        assert ours == theirs, page


def test_every_cut_of_a_page_is_read() -> None:
    page = "<!doctype html><title>é</title><p class='漢'>x&eacute;<!--c--><script>1</script><table><td>ü</table>"
    data = page.encode()
    for end in range(0, len(data) + 1, 3):
        for start in range(9):
            read_blocks(data[start:end].decode("utf-8", "replace"))


def test_elements_beyond_the_deepest_hold_nothing() -> None:
    blocks = read_blocks("<div>" * (MAX_DEPTH + 50) + "<p>deep</p>")

    assert blocks.texts == ["deep"]


def test_markup_that_needs_more_room_than_most_is_read() -> None:
    # Each <p> opens anew the hundred elements that the one before it closed.
    names = "".join(f"<font size={size}>" for size in range(100))
    blocks = read_blocks(f"<p>{names}" + "<p>x" * 200)

    assert blocks.texts == ["x"] * 200


def test_all_names_of_tables_are_known_to_the_scan() -> None:
    from refinery.extract.tag_kinds import _KNOWN

    assert set(BUILDER_NAMES) >= _KNOWN - {"other"}


def test_what_a_page_says_about_itself_is_found_on_the_way() -> None:
    page = (
        "<meta name=a content=b><!--<meta name=c>--><title> T &amp; U</title></head>"
        "<body><meta name=d><svg><title>no</title></svg><script>1</script>x<script type=a>2</script>"
    )

    scan = read_tags(page, NAME_WORDS)

    assert scan.metas == ["<meta name=a content=b>"]
    assert scan.title == " T & U"
    assert [page[first:end] for first, end in scan.scripts] == [
        "<script>1</script>", "<script type=a>2</script>",
    ]  # fmt: skip
