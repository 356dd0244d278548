"""Images and formulas inside a line as text."""

import pytest

from refinery.extract.inline import formula_of, image_names, plain_text, sticker_names


def test_escapes_of_the_parser_are_undone_once() -> None:
    assert plain_text("a&nbsp;&lt;b&gt; &quot;c&quot; &amp; d") == 'a\xa0<b> "c" & d'
    # The ampersand comes last, or what was text would become a sign.
    assert plain_text("&amp;lt;") == "&lt;"


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ('<img src="x.png" alt="A  cat\n&amp; a dog">', "A cat & a dog"),
        ('<img title="Only a title">', "Only a title"),
        ('<img alt="" title="title">', "title"),
        ('<img data-alt="no" src="x">', ""),
        ("<img>", ""),
    ],
)
def test_an_image_gives_its_alternative_text_or_title(tag: str, name: str) -> None:
    assert image_names([tag]) == [name]


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ('<img class="emoji" alt="grin">', "grin"),
        ('<img src="/smilies/face_1.gif" alt="wink">', "wink"),
        ('<img src="photo.jpg" alt=":joy:">', ":joy:"),
        ('<img src="photo.jpg" alt="[doge]">', "[doge]"),
        ('<img src="photo.jpg" alt="/微笑">', "/微笑"),
        ('<img src="photo.jpg" alt="😂">', "😂"),
        ('<img src="photo.jpg" alt="A street">', ""),
        ('<img class="emoji" alt="' + "long " * 20 + '">', ""),
        ('<img class="emoji" alt="">', ""),
        # A picture in the address is not searched to its end.
        (f'<img src="data:{"x" * 400}emoji" alt="A street">', ""),
    ],
)
def test_only_images_of_emoji_and_stickers_give_their_names(tag: str, name: str) -> None:
    assert sticker_names([tag]) == [name]


@pytest.mark.parametrize(
    ("markup", "tex"),
    [
        ('<math alttext="x^2 &lt; 3"><mi>x</mi>', "$x^2 < 3$"),
        ('<math><semantics><mi>x</mi><annotation encoding="application/x-tex">\\frac\n 1 2'
         "</annotation></semantics>", "$\\frac 1 2$"),
        ('<math><annotation encoding="text/plain">x</annotation>', ""),
        ("<math><mi>x</mi>", ""),
        (f'<math alttext="{"x" * 2001}">', ""),
    ],
)  # fmt: skip
def test_a_formula_gives_its_tex_where_the_page_has_it(markup: str, tex: str) -> None:
    assert formula_of(markup) == tex
