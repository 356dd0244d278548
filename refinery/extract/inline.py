"""Text of images inside a line: those that stand for emoji or stickers, or all by choice."""

from __future__ import annotations

import re

MOST_NAME_CHARS = 60
# Only so much of an image's address is searched: a page may hold whole pictures as data there.
MOST_MARK_CHARS = 400
_ESCAPES = (
    ("&nbsp;", "\xa0"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&"),
)  # fmt: skip
# By these words in class or address, forums, blogs and Chinese platforms mark emoji and stickers.
_MARK = re.compile("emoji|emoticon|smil(?:e|ie)|sticker|biaoqing|expression|bbface|face[-_/]")
# An image that has a name, or a title instead.
_NAMED = re.compile(r' (?:alt|title)="[^"]')
# Names that tell a sticker by themselves: `:code:`, `[code]`, `/code`, or signs without letters.
_CODE = re.compile(r":[\w+-]{1,40}:|\[[^\[\]]{1,20}\]|/[\u4e00-\u9fff]{1,4}|[^\w\s]{1,20}")


def plain_text(markup: str) -> str:
    """Undo the escapes in text or a value that the parser wrote; it writes no others."""
    for escape, character in _ESCAPES:
        if escape in markup:
            markup = markup.replace(escape, character)
    return markup


def image_names(tags: list[str]) -> list[str]:
    """Alternative texts or titles of images; empty where one has neither."""
    return [_name_of(tag) for tag in tags]


def value_of(tag: str, attribute: str) -> str:
    """Value of an attribute in a tag as the parser writes it; empty for none. Search beats a pattern."""
    first = tag.find(f' {attribute}="') + len(attribute) + 3
    return tag[first : tag.find('"', first)] if first > len(attribute) + 2 else ""


def _name_of(tag: str) -> str:
    if not _NAMED.search(tag):
        return ""
    name = value_of(tag, "alt") or value_of(tag, "title")
    return " ".join((plain_text(name) if "&" in name else name).split())


def sticker_names(tags: list[str]) -> list[str]:
    """Names of the images that stand for emoji or stickers; empty for any other image."""
    names = [_name_of(tag) for tag in tags]
    return [
        name if name and _is_sticker(name, tag) else ""
        for name, tag in zip(names, tags, strict=True)
    ]


def _is_sticker(name: str, tag: str) -> bool:
    if len(name) > MOST_NAME_CHARS:
        return False
    if not name[0].isalnum() and _CODE.fullmatch(name):
        return True
    marks = f"{value_of(tag, 'class')} {value_of(tag, 'src')}"[:MOST_MARK_CHARS].lower()
    return _MARK.search(marks) is not None
