"""A page as a list of text blocks and the tree of elements that hold them.

The parser repairs the page. Its nodes are asked, in order, for their tag, their parent and their
text; all else is computed on arrays, since a loop over the nodes in Python took twice the time.
Shapes: M nodes, E elements, N blocks.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from selectolax.lexbor import LexborHTMLParser, LexborNode

from refinery.extract.hints import Hints, read_hints
from refinery.extract.inline import formula_of, image_name, sticker_name
from refinery.extract.nodes import NodeTree, count_above

Ints = NDArray[np.int64]

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
_ATTRIBUTES = ("class", "id", "role", "itemprop", "style")
_ATTRIBUTE_CHARS = 300
_CONTROLS = ("input", "button", "select", "textarea", "svg", "label", "form")
_HAS_TEXT = np.isin(np.arange(10), (_TEXT, _BREAK_TAG, _IMAGE, _MATH))
_SPACES = re.compile(r"\s+")
# Marks <br> apart from line ends of the source; no parsed page holds it.
_BREAK = "\0"
MAX_BLOCKS = 20_000


def _no_ints() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(slots=True)
class Blocks:
    """Blocks in order, and elements in order of opening; `starts`/`ends` are block numbers.

    `elements`, `link_chars`, `num_links`, `bold_chars`, `num_breaks` are [N], and so are
    `num_images` and `num_controls`, which count what stands before each block. `tags`, `parents`,
    `depths`, `masks`, `paths`, `starts`, `ends` are [E].
    """

    texts: list[str] = field(default_factory=list)
    elements: Ints = field(default_factory=_no_ints)
    link_chars: Ints = field(default_factory=_no_ints)
    num_links: Ints = field(default_factory=_no_ints)
    bold_chars: Ints = field(default_factory=_no_ints)
    num_breaks: Ints = field(default_factory=_no_ints)
    num_images: Ints = field(default_factory=_no_ints)
    num_controls: Ints = field(default_factory=_no_ints)
    tags: Ints = field(default_factory=_no_ints)
    parents: Ints = field(default_factory=_no_ints)
    depths: Ints = field(default_factory=_no_ints)
    masks: Ints = field(default_factory=_no_ints)
    paths: Ints = field(default_factory=_no_ints)
    starts: Ints = field(default_factory=_no_ints)
    ends: Ints = field(default_factory=_no_ints)
    title: str | None = None
    hints: Hints = field(default_factory=Hints)


def read_blocks(html: str, *, image_text: bool = False) -> Blocks:
    """Split a page into blocks of text that no block-level tag interrupts.

    Emoji and stickers that are images give their names; other images only with `image_text`.
    """
    tree = LexborHTMLParser(html)
    body = tree.body
    with _no_collection():
        blocks = _Reading(body, image_text=image_text).read() if body is not None else Blocks()
    blocks.hints = read_hints(html)
    title = tree.css_first("title")
    if title is not None:
        blocks.title = _SPACES.sub(" ", title.text()).strip() or None
    return blocks


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Thousands of nodes at once would set off the cycle collector; they form no cycles.

    It takes a third of the time of reading a page.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@functools.cache
def _known_tags() -> tuple[Ints, Ints, NDArray[np.bool_]]:
    """Kind, place in TAGS and whether people use it, by lexbor's tag id.

    The last entry is for ids that no page shares.
    """
    parser = LexborHTMLParser("x<!--x-->")
    ids = {name: parser.create_node(name).tag_id for name in {*_KINDS, *TAGS} if name[0] != "-"}
    for node in parser.root.traverse(include_text=True) if parser.root else ():
        ids[node.tag or ""] = node.tag_id
    # Ids of names that the parser does not know are addresses.
    known = {name: number for name, number in ids.items() if number < 10_000}
    kinds = np.full(max(known.values()) + 2, _BLOCK)
    tags = np.zeros(len(kinds), np.int64)
    controls = np.zeros(len(kinds), np.bool_)
    for name, number in known.items():
        controls[number] = name in _CONTROLS
        kinds[number] = _KINDS.get(name, _BLOCK)
        tags[number] = TAG_IDS.get(name, 0)
    return kinds, tags, controls


class _Reading:
    """The nodes of a page's body, and what kind each is."""

    def __init__(self, body: LexborNode, *, image_text: bool) -> None:
        self._nodes = list(body.traverse(include_text=True))
        self._tree = NodeTree(self._nodes)
        self._name_of_image = image_name if image_text else sticker_name
        self._kinds, self._tags, self._is_control = self._classify()
        self._inlays = self._read_inlays()

    def _classify(self) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """Kinds and places in TAGS of the nodes; all below a skipped element is skipped."""
        kinds_of, tags_of, controls = _known_tags()
        numbers = np.array([node.tag_id for node in self._nodes], np.uint64)
        known = np.minimum(numbers, np.uint64(len(kinds_of) - 1)).astype(np.int64)
        kinds = kinds_of[known]
        for place in np.flatnonzero(known == len(kinds_of) - 1).tolist():
            kinds[place] = _KINDS.get(self._nodes[place].tag or "", _BLOCK)
        kinds[0] = _BLOCK
        kinds[self._tree.inside(np.flatnonzero(kinds == _SKIP))] = _SKIP
        return kinds, tags_of[known], controls[known]

    def _read_inlays(self) -> dict[int, str]:
        """Text that stands for line breaks, images and formulas, by node."""
        kinds = self._kinds
        inlays = dict.fromkeys(np.flatnonzero(kinds == _BREAK_TAG).tolist(), _BREAK)
        for place in np.flatnonzero(kinds == _IMAGE).tolist():
            inlays[place] = self._name_of_image(self._nodes[place])
        for place in np.flatnonzero(kinds == _MATH).tolist():
            inlays[place] = formula_of(self._nodes[place])
            if inlays[place]:
                # The TeX stands for what is drawn below it.
                kinds[place + 1 : self._tree.ends[place]] = _SKIP
        return inlays

    def read(self) -> Blocks:
        """Gather the text, then the elements around it."""
        blocks, kinds, tree = Blocks(), self._kinds, self._tree
        is_element = kinds == _BLOCK
        openings = np.flatnonzero(is_element)
        cuts = np.bincount(openings, minlength=len(kinds) + 1)
        cuts += np.bincount(tree.ends[openings], minlength=len(kinds) + 1)
        cuts[:-1] += kinds == _VOID
        firsts = self._read_texts(blocks, runs=np.cumsum(cuts[:-1]))
        starts = np.searchsorted(firsts, openings)
        # Beyond the bound neither blocks nor elements are read.
        openings = openings[starts < MAX_BLOCKS]
        blocks.starts = starts[: len(openings)]
        blocks.ends = np.searchsorted(firsts, tree.ends[openings])
        holders = tree.nearest(is_element)
        numbers = np.cumsum(is_element) - 1
        blocks.elements = numbers[holders[firsts]]
        blocks.tags = self._tags[openings]
        blocks.parents = numbers[holders[tree.parents[openings]]]
        blocks.depths = count_above(blocks.parents)
        self._describe(blocks, openings.tolist())
        return blocks

    def _read_texts(self, blocks: Blocks, *, runs: Ints) -> Ints:
        """Fill what is [N]; returns the node at which each block begins.

        Nodes of one run belong to one block, if any of them holds more than blanks.
        """
        kinds, nodes, inlays, tree = self._kinds, self._nodes, self._inlays, self._tree
        places = np.flatnonzero(_HAS_TEXT[kinds])
        pieces = [
            nodes[place].text_content or "" if is_text else inlays[place]
            for place, is_text in zip(
                places.tolist(), (kinds[places] == _TEXT).tolist(), strict=True
            )
        ]
        sizes = np.array([0 if piece.isspace() else len(piece) for piece in pieces], np.int64)
        sizes[kinds[places] == _BREAK_TAG] = 0
        run = runs[places]
        told = np.flatnonzero(sizes)
        # Runs rise from node to node: the blocks are the distinct ones among those that tell.
        is_new = np.diff(run[told], prepend=-1) > 0
        numbers, firsts = run[told[is_new]][:MAX_BLOCKS], places[told[is_new]][:MAX_BLOCKS]
        starts, ends = np.searchsorted(run, numbers), np.searchsorted(run, numbers, "right")
        is_code = tree.inside(np.flatnonzero((kinds == _BLOCK) & (self._tags == TAG_IDS["pre"])))
        for start, end, tidy in zip(
            starts.tolist(), ends.tolist(), is_code[firsts].tolist(), strict=True
        ):
            text = pieces[start] if end == start + 1 else "".join(pieces[start:end])
            blocks.texts.append(_tidy_code(text) if tidy else _tidy(text))
        in_block = np.cumsum(is_new) <= MAX_BLOCKS
        self._count(
            blocks, places[told[in_block]], sizes[told[in_block]], np.cumsum(is_new)[in_block] - 1
        )
        breaks = run[kinds[places] == _BREAK_TAG]
        blocks.num_breaks = np.searchsorted(breaks, numbers, "right") - np.searchsorted(
            breaks, numbers
        )
        blocks.num_images = _counted_before(np.flatnonzero(kinds == _IMAGE), firsts)
        blocks.num_controls = _counted_before(np.flatnonzero(self._is_control), firsts)
        return firsts

    def _count(self, blocks: Blocks, places: Ints, sizes: Ints, owners: Ints) -> None:
        """Links and bold text of each block, from the nodes that hold its text."""
        num, ends = len(blocks.texts), self._tree.ends
        # Links do not nest: the last one that opened holds a node, or none does.
        is_link = self._kinds == _LINK
        last = np.maximum.accumulate(np.where(is_link, np.arange(len(is_link)), 0))[places]
        linked = is_link[last] & (ends[last] > places)
        blocks.link_chars = np.bincount(owners, sizes * linked, num).astype(np.int64)
        owner, link = owners[linked], last[linked]
        is_new = (np.diff(owner, prepend=-1) != 0) | (np.diff(link, prepend=-1) != 0)
        blocks.num_links = np.bincount(owner[is_new], minlength=num)
        bold = self._tree.inside(np.flatnonzero(self._kinds == _BOLD))[places]
        blocks.bold_chars = np.bincount(owners, sizes * bold, num).astype(np.int64)

    def _describe(self, blocks: Blocks, openings: list[int]) -> None:
        """Words in the attributes that name things, and paths of tags and classes."""
        names: dict[str, int] = {"": 0}
        paths: dict[tuple[int, int, str], int] = {}
        path_of, named = [0], []
        tags, parents, nodes = blocks.tags.tolist(), blocks.parents.tolist(), self._nodes
        for number, place in enumerate(openings):
            attributes = nodes[place].attributes
            name = ""
            if attributes:
                name = attributes.get("class") or ""
                words = [attributes[key] or "" for key in _ATTRIBUTES if key in attributes]
                if "hidden" in attributes:
                    words.append("hidden")
                # No line end is left in it.
                told = " ".join(" ".join(words)[:_ATTRIBUTE_CHARS].split())
                named.append(names.setdefault(told, len(names)))
            else:
                named.append(0)
            key = (path_of[parents[number]], tags[number], name)
            path = paths.setdefault(key, len(paths))
            if number:
                path_of.append(path)
        blocks.masks = _masks(list(names))[named]
        blocks.paths = np.array(path_of[: len(openings)], np.int64)


def _masks(names: list[str]) -> Ints:
    """Bits of the WORDS that each name holds; all names are searched as one text."""
    text = "\n".join(names).lower()
    # Lower case of a few letters is longer: lengths are taken after it.
    ends = np.cumsum([len(name) + 1 for name in text.split("\n")])
    masks = np.zeros(len(names), np.int64)
    for place, word in enumerate(WORDS):
        hits = []
        at = text.find(word)
        while at >= 0:
            hits.append(at)
            at = text.find(word, at + len(word))
        if hits:
            masks[np.searchsorted(ends, hits, "right")] |= 1 << place
    return masks


def _counted_before(places: Ints, firsts: Ints) -> Ints:
    """How many of these nodes stand before each block and after the one before it."""
    return np.diff(np.searchsorted(places, firsts), prepend=0)


def _tidy_code(text: str) -> str:
    """Line ends and indentation stay."""
    return text.replace(_BREAK, "\n").strip("\n")


def _tidy(text: str) -> str:
    """Runs of space to one; line breaks that the page asked for are kept."""
    if _BREAK not in text:
        return " ".join(text.split())
    lines = (" ".join(line.split()) for line in text.split(_BREAK))
    return "\n".join(line for line in lines if line)
