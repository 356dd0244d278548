"""A page as a list of text blocks and the elements that hold them.

The scan repairs the page as browsers do and gives its tags as arrays, which are computed on whole, since
a loop over the nodes in Python took several times as long. docs/extraction_scan.md tells the way from
bytes to blocks.
Shapes: T tags, opening and closing ones, in order; E elements, N blocks. Nodes are numbered like
tags, in order: node 2t is the tag t, node 2t + 1 the text behind it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import read_only
from refinery.extract.config import Formulas
from refinery.extract.formulas import holds_formulas, write_scripts_as_formulas
from refinery.extract.hidden import Hidden
from refinery.extract.hints import Hints, read_hints
from refinery.extract.inner_pages import holds_inner_pages, write_inner_pages
from refinery.extract.nesting import nest, number_paths
from refinery.extract.scan.block_texts import (
    BOLD_CHARS,
    END,
    FIRST_NODE,
    LINK_CHARS,
    NUM,
    NUM_BREAKS,
    NUM_CONTROLS,
    NUM_IMAGES,
    NUM_LINKS,
    START,
    Source,
    new_written,
    signs_of_characters,
    write_blocks,
)
from refinery.extract.scan.read import read_tags
from refinery.extract.signs import NAME_BITS, SCANNED_WORDS
from refinery.extract.tag_kinds import (
    IS_CONTROL,
    TAG_IDS,
    Kind,
)
from refinery.extract.tag_texts import Drawing, TagTexts, read_tag_texts
from refinery.extract.tags import Tags, count_characters_before

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

_SPACES = re.compile(r"\s+")
_LIST_TYPE = re.compile(r' type="([aAiI1])"')
MAX_BLOCKS = 20_000
_BLOCK, _ORDERED, _PRE = int(Kind.BLOCK), TAG_IDS["ol"], TAG_IDS["pre"]


def _no_ints() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(slots=True)
class Blocks:
    """Blocks in order, and elements in the order of their opening tags.

    Attributes:
        texts: The text of each of the N blocks.
        utf8, bounds: The same in UTF-8, and the first and end offsets [N, 2] of each in it.
        elements: [N] innermost block-level element that holds each block.
        link_chars, bold_chars: [N] code points inside links and inside bold text.
        num_links, num_breaks: [N] links, and <br>, inside each block.
        num_images, num_controls: [N] images, and form controls, that stand before each block and
            after the one before it.
        tag_ids: [E] index in `TAGS`.
        parents, depths: [E] element 0 is the body, its own parent, of depth 0.
        name_bits: [E] bit i where NAME_WORDS[i] is in the class, id, role or itemprop.
        paths: [E] equal numbers for equal paths of tags and classes from the body; only where an
            element holds blocks.
        starts, ends: [E] first block inside each element, and one past the last.
        hidden_bits: [E] bit i where the element is hidden as `Hidden` i says.
        numbers: By element, the number that <ol start> or <li value> gives it.
        list_types: By element, the `type` of a list with numbers; "-" behind it where they fall.
        col_spans, row_spans: By element, columns and rows that a cell covers, where it says so.
        title: Text of the page's <title>.
        hints: What the page says about itself.
    """

    texts: list[str] = field(default_factory=list)
    utf8: Bytes = field(default_factory=lambda: np.zeros(0, np.uint8))
    bounds: Ints = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    elements: Ints = field(default_factory=_no_ints)
    link_chars: Ints = field(default_factory=_no_ints)
    num_links: Ints = field(default_factory=_no_ints)
    bold_chars: Ints = field(default_factory=_no_ints)
    num_breaks: Ints = field(default_factory=_no_ints)
    num_images: Ints = field(default_factory=_no_ints)
    num_controls: Ints = field(default_factory=_no_ints)
    tag_ids: Ints = field(default_factory=_no_ints)
    parents: Ints = field(default_factory=_no_ints)
    depths: Ints = field(default_factory=_no_ints)
    name_bits: Ints = field(default_factory=_no_ints)
    paths: Ints = field(default_factory=_no_ints)
    starts: Ints = field(default_factory=_no_ints)
    ends: Ints = field(default_factory=_no_ints)
    hidden_bits: Ints = field(default_factory=_no_ints)
    numbers: dict[int, int] = field(default_factory=dict)
    list_types: dict[int, str] = field(default_factory=dict)
    col_spans: dict[int, int] = field(default_factory=dict)
    row_spans: dict[int, int] = field(default_factory=dict)
    title: str | None = None
    hints: Hints = field(default_factory=Hints)


def read_blocks(html: str, *, image_text: bool = False, formulas: Formulas = "tex") -> Blocks:
    """Split a page into blocks of text that no block-level tag interrupts.

    Images that stand for emoji or stickers give their names; other images only with `image_text`.
    Of a formula, "tex" gives its TeX where the page holds it and what is drawn otherwise, "drawn"
    always what is drawn, "drop" nothing.
    """
    scan, has_scripts = read_tags(html, SCANNED_WORDS), False
    if holds_inner_pages(scan):
        html = write_inner_pages(html)
        scan = read_tags(html, SCANNED_WORDS)
    if holds_formulas(scan):
        html, has_scripts = write_scripts_as_formulas(html)
        scan = read_tags(html, SCANNED_WORDS)
    drawing = Drawing(image_text, formulas, has_scripts)
    blocks = Blocks() if scan.tags is None else blocks_of(scan.tags, drawing)
    blocks.title = _SPACES.sub(" ", scan.title).strip() or None
    blocks.hints = read_hints(scan)
    return blocks


def blocks_of(tags: Tags, drawing: Drawing) -> Blocks:
    """The blocks of a body with these tags; title and hints are those of no page."""
    blocks = Blocks()
    _Reading(tags, read_tag_texts(tags, drawing)).read(blocks)
    return blocks


class _Reading:
    """The tags of a page's body, what kind each is, and the text between them."""

    def __init__(self, tags: Tags, said: TagTexts) -> None:
        self._tags = tags
        self._kinds = said.kinds
        self._tag_ids = said.tag_ids
        self._keeps_lines = said.keeps_lines
        self._tag_texts = said.texts
        self._is_skipped = said.is_skipped
        self._hidden = said.hidden

    def read(self, blocks: Blocks) -> None:
        """Fill the blocks: their texts first, then the elements around them."""
        kinds, tags = self._kinds, self._tags
        openings = np.flatnonzero(kinds == _BLOCK)
        first_nodes = self._read_texts(blocks)
        nesting = nest(openings, tags.closings[openings], first_nodes, len(kinds))
        blocks.elements = nesting.holders
        # Beyond MAX_BLOCKS neither blocks nor elements are read.
        num = int(np.searchsorted(nesting.starts, MAX_BLOCKS))
        openings = openings[:num]
        blocks.starts, blocks.ends = nesting.starts[:num], nesting.ends[:num]
        blocks.tag_ids = self._tag_ids[openings]
        blocks.parents, blocks.depths = nesting.parents[:num], nesting.depths[:num]
        # Names of an element that holds no block are on no block's path.
        holding = blocks.starts < blocks.ends
        classes = np.where(holding, tags.classes[openings], 0)
        blocks.name_bits = np.where(holding, tags.name_bits[openings] & NAME_BITS, 0)
        blocks.paths = number_paths(blocks.parents, blocks.tag_ids, classes)
        blocks.hidden_bits = self._hidden_bits(openings)
        blocks.numbers = _by_element(tags.numbers[openings])
        blocks.list_types = self._list_types(openings)
        blocks.col_spans = _by_element(tags.col_spans[openings])
        blocks.row_spans = _by_element(tags.row_spans[openings])

    def _list_types(self, openings: Ints) -> dict[int, str]:
        """By element, how the items of a list with numbers are counted, where its tag says so."""
        types: dict[int, str] = {}
        for element in np.flatnonzero(self._tag_ids[openings] == _ORDERED).tolist():
            markup = self._tags.markup_of(int(openings[element]))
            kind = _LIST_TYPE.search(markup)
            said = (kind[1] if kind else "1") + ("-" if " reversed=" in markup else "")
            if said != "1":
                types[element] = said
        return types

    def _hidden_bits(self, openings: Ints) -> Ints:
        """Bits of `Hidden` for each of these elements."""
        hidden, bits = self._hidden, np.zeros(len(self._kinds), np.int64)
        bits[hidden.hidden] = 1 << Hidden.FROM_ALL
        bits[hidden.unfolding] = 1 << Hidden.UNFOLDING
        bits[hidden.aria] = 1 << Hidden.FROM_READERS
        return bits[openings]

    def _read_texts(self, blocks: Blocks) -> Ints:
        """Fill what is [N]; returns the node at which each block begins."""
        source = self._source()
        written = new_written(source, MAX_BLOCKS)
        write_blocks(source, written)
        found = written.blocks[: written.state[NUM]]
        blocks.bounds = np.ascontiguousarray(found[:, [START, END]])
        blocks.utf8 = written.out[: blocks.bounds.max(initial=0)]
        blocks.texts = _cut(blocks.utf8, blocks.bounds)
        columns = np.ascontiguousarray(found.T)
        blocks.link_chars, blocks.num_links = columns[LINK_CHARS], columns[NUM_LINKS]
        blocks.bold_chars, blocks.num_breaks = columns[BOLD_CHARS], columns[NUM_BREAKS]
        blocks.num_images, blocks.num_controls = columns[NUM_IMAGES], columns[NUM_CONTROLS]
        first_nodes: Ints = columns[FIRST_NODE]
        return first_nodes

    def _source(self) -> Source:
        tags, said = self._tags, sorted(self._tag_texts.items())
        texts = [text.encode("utf-8", "replace") for _, text in said]
        is_code = self._tag_ids == _PRE
        arrays: tuple[Any, ...] = (
            tags.markup, tags.firsts, tags.lasts, self._kinds, tags.closings, tags.is_blank,
            self._is_skipped, is_code, self._keeps_lines, IS_CONTROL[tags.name_ids] & tags.is_opening,
            np.array([tag for tag, _ in said], np.int64),
            np.cumsum([0, *map(len, texts)]), np.frombuffer(b"".join(texts), np.uint8),
            signs_of_characters(),
        )  # fmt: skip
        return Source(*(read_only(array) for array in arrays))


def _cut(utf8: Bytes, bounds: Ints) -> list[str]:
    """Texts between rising offsets: decoding all of them once is faster than one by one."""
    text, offsets = str(utf8.data, "utf-8"), bounds.ravel()
    if len(text) < len(utf8):
        in_bytes, offsets = offsets, np.empty(len(offsets), np.int64)
        count_characters_before(utf8, in_bytes, offsets)
    pairs = iter(offsets.tolist())
    return [text[start:end] for start, end in zip(pairs, pairs, strict=True)]


def _by_element(numbers: Ints) -> dict[int, int]:
    """The numbers that some elements are given, by index of the element."""
    return {element: int(numbers[element]) for element in np.flatnonzero(numbers >= 0).tolist()}
