import re

import numpy as np
import pytest
from selectolax.lexbor import LexborHTMLParser

from refinery.extract.blocks import MAX_BLOCKS, read_blocks
from refinery.extract.nesting import nest, number_paths
from refinery.extract.scan.read import read_tags
from refinery.extract.tag_kinds import NAME_WORDS
from refinery.extract.tags import Tags


def read(html: str) -> Tags:
    tags = read_tags(html, NAME_WORDS).tags
    assert tags is not None
    return tags


def written(tags: Tags) -> list[str]:
    return [tags.text[i : j + 1] for i, j in zip(tags.starts, tags.ends, strict=True)]


def test_brackets_and_quotes_in_text_and_values_are_no_tags() -> None:
    tags = read("""<body><p class='1 < 2 > "0"'>a < b > "c" class="d"<br>""")

    assert [re.match(r"</?\w+", tag)[0] for tag in written(tags)] == [  # type: ignore[index]
        "<body", "<p", "<br", "</p", "</body",
    ]  # fmt: skip


@pytest.mark.parametrize("junk", ['"', "<b", 'a<"b'])
def test_junk_that_the_parser_takes_for_an_attribute_is_no_tag(junk: str) -> None:
    tags = read(f"<body><p {junk} class=x>a</p>")

    assert len(tags.starts) == 4
    assert (tags.classes > 0).tolist() == [False, True, False, False]


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


def test_offsets_count_characters() -> None:
    tags = read("<body>漢é𝄞<p id=ü>x</p>&nbsp;")

    assert written(tags) == ["<body>", '<p id="ü">', "</p>", "</body>"]
    assert tags.is_blank.tolist() == [False, False, False, True]


def test_values_are_read_where_they_mean_something() -> None:
    tags = read(
        "<body class='Post main'><ol start=3><li value=7 value=8>a<li value=12345>b</ol>"
        "<table><td colspan=2 rowspan='3'>c<img alt=\"d&quot;\" src=e style='color:red'>"
        "<p style='Display : NONE' data-a=tab data-b>f"
    )

    words = [NAME_WORDS.index(word) for word in ("main", "post")]
    assert tags.name_bits[0] == sum(1 << word for word in words)
    assert tags.numbers[tags.numbers >= 0].tolist() == [3, 7]
    assert tags.col_spans.max() == 2
    assert tags.row_spans.max() == 3
    assert '<img alt="d&quot;" src="e">' in tags.text
    assert '<p style="Display : NONE" data-x="tab">' in tags.text


def test_tags_agree_with_the_parsers_own_tree() -> None:
    html = (
        "<body><div class='a b'><p>x<svg><g><param>1</param></g></svg><?php echo '<p>'; ?>"
        "<table><tr><td>y<td><ul><li>z<li class=''>w</ul></table></div><keygen><p class='a b'>v"
    )
    tree = LexborHTMLParser(html)
    assert tree.body is not None
    expected = []
    for node in tree.body.traverse():
        if node.is_element_node:
            above, depth = node.parent, 0
            while above is not None and above.tag != "html":
                above, depth = above.parent, depth + 1
            expected.append((node.tag, bool(node.attributes.get("class")), depth))

    tags = read(html)

    openings = np.flatnonzero(tags.is_opening)
    is_void = tags.closings[openings] == openings
    closings, nodes = tags.closings[openings[~is_void]], np.zeros(0, np.int64)
    depths = nest(openings[~is_void], closings, nodes, len(tags.starts)).depths
    found = [
        (re.match(r"<(\w+)", written(tags)[tag])[1], bool(tags.classes[tag]), depth)  # type: ignore[index]
        for tag, depth in zip(openings[~is_void].tolist(), depths.tolist(), strict=True)
    ]
    assert found == [entry for entry in expected if entry[0] != "keygen"]


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
