import pytest

from refinery.extract.blocks import MAX_BLOCKS, read_blocks
from refinery.extract.config import Style
from refinery.extract.structure import render
from refinery.extract.tag_kinds import TAGS

LIST = "<body><ul><li>one<li>two<ol><li>a<li>b</ol></ul>"
TABLE = "<body><table><tr><th>name<th>size<tr><td>oak<td>big</table><p>after"
CODE = "<body><pre><code>if x:\n    y &lt; 1\n</code></pre>"


def texts(html: str) -> list[str]:
    return read_blocks(html).texts


def rendered(html: str, style: Style) -> str:
    blocks = read_blocks(html)
    return render(blocks, range(len(blocks.texts)), style)


def test_inline_elements_do_not_cut_a_block() -> None:
    assert texts("<body><p>a <b>bold</b> and <a href=x>link</a>.<p>next") == [
        "a bold and link.",
        "next",
    ]


def test_text_around_a_nested_block_is_three_blocks() -> None:
    assert texts("<body><div>before<p>inside</p>after</div>") == ["before", "inside", "after"]


def test_scripts_styles_comments_and_drawings_are_no_text() -> None:
    page = "<body>a<script>x()</script><style>p{}</style><!-- c --><svg><text>s</text></svg> b"

    assert texts(page) == ["a b"]


def test_an_attribute_may_hold_quotes_and_brackets() -> None:
    assert texts("""<body><p title='a "<b>" c' ">x</p><p data-x="1 > 0">y""") == ["x", "y"]


def test_what_noscript_holds_is_text() -> None:
    assert texts("<body><noscript><div><p>thread</p></div></noscript>") == ["thread"]


def test_links_and_bold_text_are_counted_in_characters() -> None:
    blocks = read_blocks("<body><p>see <a href=x>here</a> <strong>now</strong><p>plain")

    assert tuple(
        counted.tolist() for counted in (blocks.link_chars, blocks.num_links, blocks.bold_chars)
    ) == ([4, 0], [1, 0], [3, 0])


def test_elements_know_their_blocks() -> None:
    blocks = read_blocks("<body><div><p>a<p>b</div><p>c")

    spans = {
        (TAGS[tag], start, end)
        for tag, start, end in zip(blocks.tag_ids, blocks.starts, blocks.ends, strict=True)
    }
    assert spans == {("body", 0, 3), ("div", 0, 2), ("p", 0, 1), ("p", 1, 2), ("p", 2, 3)}


def test_blocks_of_a_page_are_bounded() -> None:
    assert len(texts("<body>" + "<p>x" * (MAX_BLOCKS + 5))) == MAX_BLOCKS


@pytest.mark.parametrize(
    ("page", "plain", "markdown"),
    [
        ("<body><h2>Title</h2><p>Text", "Title\n\nText", "## Title\n\nText"),
        (LIST, "- one\n- two\n  1. a\n  2. b", "- one\n- two\n  1. a\n  2. b"),
        (
            TABLE,
            "name | size\noak | big\n\nafter",
            "| name | size |\n| --- | --- |\n| oak | big |\n\nafter",
        ),
        (CODE, "if x:\n    y < 1", "```\nif x:\n    y < 1\n```"),
    ],
    ids=["heading", "list", "table", "code"],
)
def test_structure_is_kept_in_both_styles(page: str, plain: str, markdown: str) -> None:
    assert rendered(page, "plain") == plain
    assert rendered(page, "markdown") == markdown


def test_a_table_that_lays_out_a_page_is_paragraphs() -> None:
    page = "<body><table><tr><td><p>first</p><p>second</p><td>menu</table>"

    assert rendered(page, "plain") == "first\n\nsecond\n\nmenu"


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ('<img class="wp-smiley" alt="smile">', "a smile b"),
        ('<img src="/static/twemoji/1f602.png" alt="😂">', "a 😂 b"),
        ('<img alt="[微笑]">', "a [微笑] b"),
        ('<img src="e.gif" title=":doge:">', "a :doge: b"),
        ('<img src="photo.jpg" alt="A view of the lake">', "a b"),
    ],
)
def test_images_that_stand_for_emoji_give_their_names(image: str, text: str) -> None:
    assert texts(f"<body><p>a {image} b") == [text]


def test_other_images_give_their_text_by_choice() -> None:
    page = '<body><p>a <img src="photo.jpg" alt="the lake"> b'

    assert read_blocks(page, image_text=True).texts == ["a the lake b"]


def test_a_formula_is_its_tex_once() -> None:
    mathml = "<math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x^2</annotation>"

    assert texts(f"<body><p>so {mathml}</semantics></math> is") == ["so $x^2$ is"]
    assert texts("<body><p><math alttext='\\pi'><mi>π</mi></math>") == ["$\\pi$"]
    assert texts("<body><p><math><mi>x</mi><mo>+</mo></math>") == ["x+"]
