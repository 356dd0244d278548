"""A page as a list of text blocks and the tree of elements that hold them.

The parser repairs the page; one loop then visits its nodes in order. Ends of elements show by the
parent of the next node, so each node is asked for its tag, its parent and its text only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from refinery.extract.inline import formula_of, image_name, sticker_name

_SKIPPED_NAMES = (
    "script style template svg iframe noembed noframes object select textarea canvas video audio "
    "map datalist dialog"
)
# What does not end a line of text.
_INLINE_NAMES = (
    "abbr acronym bdi bdo big cite code data del dfn em font i input ins kbd label mark q "
    "rp rt ruby s samp small span strike sub sup time tt u var wbr nobr mi mo mn "
    "mrow msup msub mfrac semantics annotation path picture source embed param track"
)
_BLOCK, _TEXT, _LINE, _LINK, _BOLD, _BREAK_TAG, _VOID, _SKIP, _IMAGE, _MATH = range(10)
_KINDS = {
    **dict.fromkeys(_INLINE_NAMES.split(), _LINE),
    **dict.fromkeys("area base basefont col hr link meta frame bgsound".split(), _VOID),  # noqa: SIM905
    **dict.fromkeys(_SKIPPED_NAMES.split(), _SKIP),
    "a": _LINK, "b": _BOLD, "strong": _BOLD, "br": _BREAK_TAG, "-text": _TEXT, "-comment": _SKIP,
    "img": _IMAGE, "math": _MATH,
}  # fmt: skip
TAGS = (
    "other", "p", "li", "div", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote",
    "dd", "dt", "article", "main", "section", "nav", "header", "footer", "aside", "form", "table",
    "tr", "ul", "ol", "figure", "figcaption", "button", "noscript", "details", "summary", "dl",
    "caption", "address", "body", "tbody", "thead", "center", "fieldset", "head", "title",
)  # fmt: skip
TAG_IDS = {name: place for place, name in enumerate(TAGS)}
WORDS = (
    "comment", "sidebar", "nav", "menu", "foot", "head", "relat", "recommend", "share", "social",
    "content", "article", "post", "body", "entry", "main", "cookie", "crumb", "widget", "promo",
    "meta", "tag", "author", "date", "list", "item", "title", "desc", "product", "price", "review",
    "text", "modal", "popup", "login", "ad-", "banner", "hidden", "display:none", "display: none",
)  # fmt: skip
_WORD_BITS = {word: 1 << place for place, word in enumerate(WORDS)}
_WORDS = re.compile("|".join(re.escape(word) for word in WORDS))
_ATTRIBUTES = ("class", "id", "role", "itemprop", "style")
_ATTRIBUTE_CHARS = 300
_SPACES = re.compile(r"\s+")
# Marks <br> apart from line ends of the source; no parsed page holds it.
_BREAK = "\0"
MAX_BLOCKS = 20_000


@dataclass(slots=True)
class Blocks:
    """Blocks in order, and elements in order of opening; `starts`/`ends` are block numbers."""

    texts: list[str] = field(default_factory=list)
    elements: list[int] = field(default_factory=list)
    link_chars: list[int] = field(default_factory=list)
    num_links: list[int] = field(default_factory=list)
    bold_chars: list[int] = field(default_factory=list)
    num_breaks: list[int] = field(default_factory=list)
    tags: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    masks: list[int] = field(default_factory=list)
    paths: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    title: str | None = None


def read_blocks(html: str, *, image_text: bool = False) -> Blocks:
    """Split a page into blocks of text that no block-level tag interrupts.

    Emoji and stickers that are images give their names; other images only with `image_text`.
    """
    tree = LexborHTMLParser(html)
    walk = _Walk(image_text=image_text)
    if tree.body is not None:
        walk.run(tree.body)
    title = tree.css_first("title")
    if title is not None:
        walk.blocks.title = _SPACES.sub(" ", title.text()).strip() or None
    return walk.blocks


class _Walk:
    """State of one pass over the nodes of a page."""

    def __init__(self, *, image_text: bool) -> None:
        self.blocks = Blocks()
        self._name_of_image = image_name if image_text else sticker_name
        self._described: dict[tuple[str | None, ...], tuple[int, str]] = {}
        self._paths: dict[tuple[int, str, str], int] = {}
        self._buffer: list[str] = []
        self._stack: list[int] = []
        self._links = self._link_chars = self._bold_chars = self._breaks = 0
        self._pre = self._in_link = self._in_bold = 0

    def run(self, body: LexborNode) -> None:  # noqa: C901
        """Fill `blocks`. One long loop, since a call per node would double its time."""
        buffer, texts = self._buffer, self.blocks.texts
        kind_of = _KINDS.get
        # Ids, kinds and names of the elements that are open; the first is the body's parent.
        ids, kinds, names = [body.parent.mem_id if body.parent else 0], [_LINE], [""]
        for node in body.traverse(include_text=True):
            parent = node.parent.mem_id  # type: ignore[union-attr]
            while ids[-1] != parent and len(ids) > 1:
                ids.pop()
                self._leave(kinds.pop(), names.pop())
            name = node.tag or ""
            kind = kind_of(name, _BLOCK)
            if kinds[-1] == _SKIP:
                kind = _SKIP
            if kind == _TEXT:
                text = node.text_content or ""
                if text.isspace() and not self._pre:
                    if buffer:
                        buffer.append(" ")
                    continue
                buffer.append(text)
                if self._in_link:
                    self._link_chars += len(text)
                if self._in_bold:
                    self._bold_chars += len(text)
                continue
            if kind == _BLOCK:
                if buffer:
                    self._flush()
                if len(texts) >= MAX_BLOCKS:
                    break
                self._open(name, node.attributes)
            elif kind >= _IMAGE:
                text = self._name_of_image(node) if kind == _IMAGE else formula_of(node)
                buffer.append(text)
                if kind == _MATH and text:
                    kind = _SKIP
            elif kind != _LINE and kind != _SKIP:
                self._enter(kind)
            ids.append(node.mem_id)
            kinds.append(kind)
            names.append(name)
        self._flush()
        while self._stack:
            self.blocks.ends[self._stack.pop()] = len(texts)

    def _enter(self, kind: int) -> None:
        """Begin an inline element that counts."""
        if kind == _LINK:
            self._in_link += 1
            self._links += 1
        elif kind == _BREAK_TAG:
            self._buffer.append(_BREAK)
            self._breaks += 1
        elif kind == _BOLD:
            self._in_bold += 1
        elif kind == _VOID:
            self._flush()

    def _leave(self, kind: int, name: str) -> None:
        """End an element."""
        if kind == _BLOCK:
            self._flush()
            self.blocks.ends[self._stack.pop()] = len(self.blocks.texts)
            self._pre -= name == "pre"
        elif kind == _LINK:
            self._in_link -= 1
        elif kind == _BOLD:
            self._in_bold -= 1

    def _open(self, tag: str, attributes: dict[str, str | None]) -> None:
        blocks, stack = self.blocks, self._stack
        parent = stack[-1] if stack else 0
        place = len(blocks.tags)
        mask, name = self._describe(attributes) if attributes else (0, "")
        blocks.masks.append(mask)
        blocks.tags.append(TAG_IDS.get(tag, 0))
        blocks.parents.append(parent)
        blocks.depths.append(len(stack))
        key = (blocks.paths[parent] if place else 0, tag, name)
        blocks.paths.append(self._paths.setdefault(key, len(self._paths)))
        blocks.starts.append(len(blocks.texts))
        blocks.ends.append(0)
        stack.append(place)
        if tag == "pre":
            self._pre += 1

    def _describe(self, attributes: dict[str, str | None]) -> tuple[int, str]:
        """Bits of the words in the attributes that name things, and the class as written."""
        key = (*map(attributes.get, _ATTRIBUTES), "hidden" if "hidden" in attributes else None)
        found = self._described.get(key)
        if found is None:
            mask = 0
            for value in filter(None, key):
                for word in _WORDS.findall(value[:_ATTRIBUTE_CHARS].lower()):
                    mask |= _WORD_BITS[word]
            found = self._described[key] = (mask, key[0] or "")
        return found

    def _flush(self) -> None:
        """End the block of the text gathered so far."""
        buffer = self._buffer
        if buffer:
            text = "".join(buffer)
            buffer.clear()
            text = text.replace(_BREAK, "\n").strip("\n") if self._pre else _tidy(text)
            if text and not text.isspace():
                blocks = self.blocks
                blocks.texts.append(text)
                blocks.elements.append(self._stack[-1] if self._stack else 0)
                blocks.link_chars.append(self._link_chars)
                blocks.num_links.append(self._links)
                blocks.bold_chars.append(self._bold_chars)
                blocks.num_breaks.append(self._breaks)
            self._links = self._link_chars = self._bold_chars = self._breaks = 0


def _tidy(text: str) -> str:
    """Runs of space to one; line breaks that the page asked for are kept."""
    if _BREAK not in text:
        return " ".join(text.split())
    lines = (" ".join(line.split()) for line in text.split(_BREAK))
    return "\n".join(line for line in lines if line)
