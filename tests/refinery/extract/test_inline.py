"""Images inside a line as text."""

import pytest

from refinery.extract.inline import image_names, plain_text, sticker_names


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
