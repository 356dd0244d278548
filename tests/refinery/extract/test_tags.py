import re

import numpy as np
import pytest
from selectolax.lexbor import LexborHTMLParser

from refinery.extract.blocks import MAX_BLOCKS, read_blocks
from refinery.extract.nesting import Nesting, number_paths
from refinery.extract.tags import VOID_NAMES, TagNames, Tags, write_body

NAMES = ["body", "p", "blockquote", "blockquote-alike", *sorted(VOID_NAMES)]
IS_VOID = np.array([False, *(name in VOID_NAMES for name in NAMES)])


def read(html: str) -> Tags:
    data = write_body(LexborHTMLParser(html))
    assert data is not None
    return Tags(data, TagNames(NAMES), IS_VOID)


def written(tags: Tags) -> list[str]:
    return [tags.text[i : j + 1] for i, j in zip(tags.starts, tags.ends, strict=True)]


def test_brackets_and_quotes_in_text_and_values_are_no_tags() -> None:
    tags = read("""<body><p title='1 < 2 > "0"'>a < b > "c" class="d"<br>""")

    assert [re.match(r"</?\w+", tag)[0] for tag in written(tags)] == [  # type: ignore[index]
        "<body", "<p", "<br", "</p", "</body",
    ]  # fmt: skip


@pytest.mark.parametrize("junk", ['"', "<b", 'a<"b'])
def test_junk_that_the_parser_takes_for_an_attribute_is_no_tag(junk: str) -> None:
    tags = read(f"<body><p {junk} class=x>a</p>")

    assert len(tags.starts) == 4
    assert tags.read_values("class", np.array([0, 1]))[0].tolist() == [0, 1]


@pytest.mark.parametrize(
    "comment",
    [
        "<!-- <p> -->",
        "<!--[if IE]><!-->",
        "<!-->",
        "<!-- a -- b --!>",
        "<!---->",
    ],
)
def test_comments_leave_nothing(comment: str) -> None:
    assert read(f"<body>a{comment}b").text == "<body>ab</body>"


def test_an_element_ends_at_its_closing_tag() -> None:
    tags = read("<body><p>a<blockquote><p>b<img><p>c</blockquote>")

    ends = {
        tag: written(tags)[end]
        for tag, end in zip(written(tags), tags.closings, strict=True)
        if not tag.startswith("</")
    }
    assert ends == {
        "<body>": "</body>", "<p>": "</p>", "<blockquote>": "</blockquote>", "<img>": "<img>",
    }  # fmt: skip
    assert sorted(tags.closings[tags.is_opening]) == sorted(set(tags.closings[tags.is_opening]))


def test_names_are_told_apart_by_sixteen_bytes() -> None:
    tags = read("<body><blockquote></blockquote><blockquote-alike></blockquote-alike>"
        "<blockquot></blockquot><blockquotes></blockquotes>")  # fmt: skip

    assert tags.name_ids.tolist() == [1, 3, 3, 4, 4, 0, 0, 0, 0, 1]


def test_void_elements_are_those_that_the_parser_does_not_close() -> None:
    names = [*VOID_NAMES, "p", "div", "button", "menuitem", "command", "wbrs"]
    tree = LexborHTMLParser("<body>")

    unclosed = {name for name in names if "</" not in (tree.create_node(name).html or "")}

    assert unclosed == VOID_NAMES


def test_tags_agree_with_the_parsers_own_tree() -> None:
    html = (
        "<body><div class='a b'><p>x<svg><g><param>1</param></g></svg><?php echo '<p>'; ?>"
        "<table><tr><td>y<td><ul><li>z<li class=''>w</ul></table></div><keygen><p class='a b'>v"
    )
    tree = LexborHTMLParser(html)
    assert tree.body is not None
    nodes = [node for node in tree.body.traverse() if node.is_element_node]
    expected = [(node.tag, node.attributes.get("class") or "") for node in nodes]
    depths = []
    for node in nodes:
        above, depth = node.parent, 0
        while above is not None and above.tag != "html":
            above, depth = above.parent, depth + 1
        depths.append(depth)

    tags = read(html)

    openings = np.flatnonzero(tags.is_opening & [not t.startswith("<?") for t in written(tags)])
    classes = tags.read_values("class", openings)[0].tolist()
    texts: dict[int, str] = {}
    for number, (_, name) in zip(classes, expected, strict=True):
        assert texts.setdefault(number, name) == name
    nesting = Nesting(openings, tags.closings[openings], len(tags.starts))
    inside_svg = {"svg", "g", "param"}  # "param" is void in HTML only
    assert [
        depth
        for depth, (name, _) in zip(nesting.depths.tolist(), expected, strict=True)
        if name not in inside_svg and name != "keygen"
    ] == [
        depth
        for depth, (name, _) in zip(depths, expected, strict=True)
        if name not in inside_svg and name != "keygen"
    ]


def test_paths_are_equal_where_tags_and_classes_are() -> None:
    generator = np.random.default_rng(0)
    num = 400
    parents = np.array([0, *(generator.integers(0, element) for element in range(1, num))])
    tags, names = generator.integers(0, 3, num), generator.integers(0, 2, num)
    exact: list[tuple[tuple[int, int], ...]] = [()]
    for element in range(1, num):
        exact.append((*exact[parents[element]], (int(tags[element]), int(names[element]))))

    numbers = number_paths(parents, tags, names).tolist()

    pairs = set(zip(exact, numbers, strict=True))
    assert len(pairs) == len(set(exact)) == len(set(numbers))


def test_raw_elements_of_old_pages_are_text() -> None:
    assert read_blocks("<body><p>a<xmp><b>x</b></xmp><p>c").texts == ["a", "<b>x</b>", "c"]
    assert read_blocks("<body><p>a<plaintext>b <p>c").texts == ["a", "b <p>c"]


@pytest.mark.parametrize(
    "html",
    ["", "<frameset><frame></frameset>", "<body></body>", "<", "<body><?php", "<body " + "a<b " * 50,
     "<body>" + "<div>" * 400 + "x", "<p>x" * (MAX_BLOCKS + 9)],
)  # fmt: skip
def test_any_markup_is_read(html: str) -> None:
    blocks = read_blocks(html)

    assert len(blocks.texts) == len(blocks.elements)
    assert (blocks.parents[1:] < np.arange(1, len(blocks.parents))).all()
