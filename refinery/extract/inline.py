"""Text of what is drawn inside a line: stickers and emoji as images, formulas."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborNode

MOST_NAME_CHARS = 60
MOST_FORMULA_CHARS = 2_000
# Pictures that a page holds as data would be searched at length.
MOST_MARK_CHARS = 400
# How forums, blogs and Chinese platforms mark images that stand for an emoji or a sticker.
_STICKER = re.compile(
    r"emoji|emoticon|smil(?:e|ey|ie)|sticker|biaoqing|expression|wp-smiley|bbface|face[-_/]", re.I
)
# Names that are one by themselves: `:code:`, `[code]`, `/code`, or characters without letters.
_CODE = re.compile(r":[\w+-]{1,40}:|\[[^\[\]]{1,20}\]|/[\u4e00-\u9fff]{1,4}|[^\w\s]{1,20}")


def image_name(node: LexborNode) -> str:
    """Alternative text or title of an image; empty where it has neither."""
    attributes = node.attributes
    name = attributes.get("alt") or attributes.get("title") or ""
    return " ".join(name.split())


def sticker_name(node: LexborNode) -> str:
    """Name of an image that stands for an emoji or a sticker; empty for any other image."""
    name = image_name(node)
    if not name or len(name) > MOST_NAME_CHARS:
        return ""
    if _CODE.fullmatch(name):
        return name
    attributes = node.attributes
    marks = f"{attributes.get('class') or ''} {attributes.get('src') or ''}"[:MOST_MARK_CHARS]
    return name if _STICKER.search(marks) else ""


def formula_of(node: LexborNode) -> str:
    """TeX of a MathML formula between dollar signs, where the page gives it; else empty."""
    tex = node.attributes.get("alttext") or ""
    if not tex:
        note = node.css_first('annotation[encoding="application/x-tex"]')
        tex = note.text() if note is not None else ""
    tex = " ".join(tex.split())
    return f"${tex}$" if tex and len(tex) <= MOST_FORMULA_CHARS else ""
