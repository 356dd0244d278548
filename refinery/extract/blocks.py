"""A page as a list of text blocks and the tree of elements that hold them.

The parser repairs the page and writes it out again; one regular expression then walks the balanced
markup. That is several times faster from Python than visiting nodes one by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser

_REMOVED = [
    "script", "style", "template", "svg", "iframe", "noembed", "noframes", "object", "select",
    "textarea", "canvas", "video", "audio", "map", "datalist", "dialog",
]  # fmt: skip
_TOKEN = re.compile(
    r'<(/?)([a-zA-Z][^\s/>]*)([^">]*(?:"[^"]*"[^">]*)*)>|([^<]+)|<!--.*?-->|<', re.DOTALL
)
# What does not end a line of text.
_INLINE_NAMES = (
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img input ins kbd label mark q "
    "rp rt ruby s samp small span strike strong sub sup time tt u var wbr br nobr math mi mo mn "
    "mrow msup msub mfrac semantics annotation path picture source embed param track"
)
_INLINE = frozenset(_INLINE_NAMES.split())
_VOID = frozenset("area base basefont col hr link meta frame bgsound".split())  # noqa: SIM905
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
_ATTRIBUTE = re.compile(r'\s(class|id|role|itemprop|style|hidden)="([^"]{0,200})')
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


def read_blocks(html: str) -> Blocks:
    """Split a page into blocks of text that no block-level tag interrupts."""
    tree = LexborHTMLParser(html)
    tree.strip_tags(_REMOVED)
    title = tree.css_first("title")
    walk = _Walk()
    body = tree.body
    if body is not None:
        walk.run(body.html or "")
    if title is not None:
        walk.blocks.title = _SPACES.sub(" ", title.text()).strip() or None
    return walk.blocks


class _Walk:
    """State of one pass over balanced markup."""

    def __init__(self) -> None:
        self.blocks = Blocks()
        self._masks: dict[str, tuple[int, str]] = {}
        self._paths: dict[tuple[int, str, str], int] = {}
        self._buffer: list[str] = []
        self._stack: list[int] = []
        self._links = self._link_chars = self._bold_chars = self._breaks = 0
        self._pre = 0
        self._in_link = self._in_bold = False

    def run(self, markup: str) -> None:
        """Fill `blocks`."""
        self._open("body", "")
        for closing, tag, attributes, text in _TOKEN.findall(markup):
            if text:
                self._add_text(text)
            elif tag in _INLINE:
                self._see_inline(tag, is_open=not closing)
            elif tag in _VOID:
                self._flush()
            elif closing:
                self._flush()
                self._close()
                self._pre -= tag == "pre"
            elif tag:
                self._flush()
                self._open(tag, attributes)
                self._pre += tag == "pre"
            if len(self.blocks.texts) >= MAX_BLOCKS:
                break
        self._flush()
        while self._stack:
            self._close()

    def _add_text(self, text: str) -> None:
        if not self._pre and text.isspace():
            if self._buffer:
                self._buffer.append(" ")
            return
        self._buffer.append(text)
        if self._in_link:
            self._link_chars += len(text)
        if self._in_bold:
            self._bold_chars += len(text)

    def _see_inline(self, tag: str, *, is_open: bool) -> None:
        if tag == "a":
            self._in_link = is_open
            self._links += is_open
        elif tag == "br":
            self._buffer.append(_BREAK)
            self._breaks += 1
        elif tag in ("b", "strong"):
            self._in_bold = is_open

    def _open(self, tag: str, attributes: str) -> None:
        blocks = self.blocks
        parent = self._stack[-1] if self._stack else 0
        place = len(blocks.tags)
        found = self._masks.get(attributes)
        if found is None:
            found = self._masks[attributes] = _describe(attributes)
        mask, name = found
        key = (blocks.paths[parent] if place else 0, tag, name)
        blocks.tags.append(TAG_IDS.get(tag, 0))
        blocks.parents.append(parent)
        blocks.depths.append(len(self._stack))
        blocks.masks.append(mask)
        blocks.paths.append(self._paths.setdefault(key, len(self._paths)))
        blocks.starts.append(len(blocks.texts))
        blocks.ends.append(0)
        self._stack.append(place)

    def _close(self) -> None:
        if self._stack:
            self.blocks.ends[self._stack.pop()] = len(self.blocks.texts)

    def _flush(self) -> None:
        buffer = self._buffer
        if not buffer:
            return
        text = "".join(buffer)
        buffer.clear()
        text = text.replace(_BREAK, "\n").strip("\n") if self._pre else _tidy(text)
        if text and not text.isspace():
            if "&" in text:
                text = _unescape(text)
            blocks = self.blocks
            blocks.texts.append(text)
            blocks.elements.append(self._stack[-1] if self._stack else 0)
            blocks.link_chars.append(self._link_chars)
            blocks.num_links.append(self._links)
            blocks.bold_chars.append(self._bold_chars)
            blocks.num_breaks.append(self._breaks)
        self._links = self._link_chars = self._bold_chars = self._breaks = 0


def _unescape(text: str) -> str:
    """Undo what the serialiser escapes: no other entity is left by then."""
    text = text.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">")
    return text.replace("&quot;", '"').replace("&amp;", "&")


def _tidy(text: str) -> str:
    """Runs of space to one; line breaks that the page asked for are kept."""
    if _BREAK not in text:
        return " ".join(text.split())
    lines = (" ".join(line.split()) for line in text.split(_BREAK))
    return "\n".join(line for line in lines if line)


def _describe(attributes: str) -> tuple[int, str]:
    """Word bits of class, id, role and style, and the class as written."""
    mask, name = 0, ""
    if len(attributes) < 3:
        return mask, name
    for kind, value in _ATTRIBUTE.findall(attributes):
        lowered = value.lower()
        for word in _WORDS.findall(lowered):
            mask |= _WORD_BITS[word]
        if kind == "class":
            name = value
        elif kind == "hidden":
            mask |= _WORD_BITS["hidden"]
    return mask, name
