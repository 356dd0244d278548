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

import numpy as np
from numpy.typing import NDArray

from refinery.extract.config import Formulas
from refinery.extract.formulas import write_scripts_as_formulas
from refinery.extract.hidden import Hidden
from refinery.extract.hints import Hints, read_hints
from refinery.extract.inline import plain_text
from refinery.extract.nesting import Nesting, number_paths
from refinery.extract.scan.read import read_tags
from refinery.extract.tag_kinds import (
    IS_CONTROL,
    NAME_WORDS,
    TAG_ID_OF,
    TAG_IDS,
    Kind,
)
from refinery.extract.tag_texts import BREAK, Drawing, TagTexts, read_tag_texts
from refinery.extract.tags import Tags

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# How the text of a block is tidied: on one line, with line ends at <br>, or as code.
_PLAIN, _BROKEN, _CODE = range(3)
_SPACES = re.compile(r"\s+")
# A line end of the source between two characters that are written without spaces.
_WIDE = "\u2e80-\u303f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60"
_WIDE_LINE_END = re.compile(rf"(?<=[{_WIDE}])[ \t]*\n\s*(?=[{_WIDE}])")
MAX_BLOCKS = 20_000


def _no_ints() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(slots=True)
class Blocks:
    """Blocks in order, and elements in the order of their opening tags.

    Attributes:
        texts: The text of each of the N blocks.
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
        col_spans, row_spans: By element, columns and rows that a cell covers, where it says so.
        title: Text of the page's <title>.
        hints: What the page says about itself.
    """

    texts: list[str] = field(default_factory=list)
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
    html, has_scripts = write_scripts_as_formulas(html)
    scan = read_tags(html, NAME_WORDS)
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
        self._tag_texts = said.texts
        self._hidden = said.hidden
        # Behind the last tag, which closes the body, there is no text.
        is_filled = np.append(tags.starts[1:] > tags.ends[:-1] + 1, False)
        self._has_text = is_filled & ~said.is_skipped

    def read(self, blocks: Blocks) -> None:
        """Fill the blocks: their texts first, then the elements around them."""
        kinds, tags = self._kinds, self._tags
        openings = np.flatnonzero(kinds == Kind.BLOCK)
        is_border = (kinds == Kind.BLOCK) | (kinds == Kind.VOID)
        is_border[tags.closings[openings]] = True
        first_nodes = self._read_texts(blocks, runs=np.cumsum(is_border))
        starts = np.searchsorted(first_nodes, 2 * openings)
        nesting = Nesting(openings, tags.closings[openings], len(kinds))
        blocks.elements = nesting.holders(first_nodes // 2)
        # Beyond MAX_BLOCKS neither blocks nor elements are read.
        openings = openings[starts < MAX_BLOCKS]
        num = len(openings)
        blocks.starts = starts[:num]
        blocks.ends = np.searchsorted(first_nodes, 2 * tags.closings[openings])
        blocks.tag_ids = TAG_ID_OF[tags.name_ids[openings]]
        blocks.parents, blocks.depths = nesting.parents[:num], nesting.depths[:num]
        # Names of an element that holds no block are on no block's path.
        holding = blocks.starts < blocks.ends
        classes = np.where(holding, tags.classes[openings], 0)
        blocks.name_bits = np.where(holding, tags.name_bits[openings], 0)
        blocks.paths = number_paths(blocks.parents, blocks.tag_ids, classes)
        blocks.hidden_bits = self._hidden_bits(openings)
        blocks.numbers = _by_element(tags.numbers[openings])
        blocks.col_spans = _by_element(tags.col_spans[openings])
        blocks.row_spans = _by_element(tags.row_spans[openings])

    def _hidden_bits(self, openings: Ints) -> Ints:
        """Bits of `Hidden` for each of these elements."""
        bits = np.zeros(len(self._kinds), np.int64)
        hidden = self._hidden
        for bit, tags in (
            (Hidden.FROM_ALL, sorted(set(hidden.hidden).difference(hidden.unfolding))),
            (Hidden.UNFOLDING, hidden.unfolding),
            (Hidden.FROM_READERS, hidden.aria),
        ):
            bits[tags] |= 1 << bit
        return bits[openings]

    def _read_texts(self, blocks: Blocks, *, runs: Ints) -> Ints:
        """Fill what is [N]; returns the node at which each block begins.

        `runs` [T] counts the tags that end a block, up to each tag: all text with one number is one
        block, if any of it is more than blanks.
        """
        kinds, tags = self._kinds, self._tags
        is_piece = np.empty((len(kinds), 2), np.bool_)
        is_piece[:, 0] = False
        is_piece[list(self._tag_texts), 0] = True
        is_piece[:, 1] = self._has_text
        nodes = np.flatnonzero(is_piece)
        owners = nodes // 2
        is_code = self._inside_pre()
        pieces, sizes = self._pieces(nodes, is_code)
        is_break = (kinds[owners] == Kind.BREAK) & (nodes % 2 == 0)
        sizes[is_break] = 0
        run = runs[owners]
        filled = np.flatnonzero(sizes)
        # Runs never fall from node to node, so the first filled piece of each begins a block.
        is_first = np.diff(run[filled], prepend=-1) > 0
        starts, ends = filled[is_first][:MAX_BLOCKS], filled[np.roll(is_first, -1)][:MAX_BLOCKS] + 1
        numbers, first_nodes = run[starts], nodes[starts]
        blocks.num_breaks = _count_equal(run[is_break], numbers)
        forms = np.where(blocks.num_breaks > 0, _BROKEN, _PLAIN)
        code = np.flatnonzero(is_code[first_nodes // 2])
        # Blanks around code are indentation and line ends of it.
        forms[code] = _CODE
        starts[code] = np.searchsorted(run, numbers[code])
        ends[code] = np.searchsorted(run, numbers[code], "right")
        for start, end, form in zip(starts.tolist(), ends.tolist(), forms.tolist(), strict=True):
            text = pieces[start] if end == start + 1 else "".join(pieces[start:end])
            blocks.texts.append(_tidy(text, form))
        block = np.cumsum(is_first) - 1
        filled, block = filled[block < MAX_BLOCKS], block[block < MAX_BLOCKS]
        self._count_marks(blocks, owners[filled], sizes[filled], block)
        images = np.flatnonzero(kinds == Kind.IMAGE)
        controls = np.flatnonzero(IS_CONTROL[tags.name_ids] & tags.is_opening)
        blocks.num_images = _count_between(2 * images, first_nodes)
        blocks.num_controls = _count_between(2 * controls, first_nodes)
        return first_nodes

    def _inside_pre(self) -> Bools:
        """Whether a <pre> is open behind each tag [T]."""
        is_pre = TAG_ID_OF[self._tags.name_ids] == TAG_IDS["pre"]
        return self._tags.covered(np.flatnonzero((self._kinds == Kind.BLOCK) & is_pre))

    def _pieces(self, nodes: Ints, is_code: Bools) -> tuple[list[str], Ints]:
        """The text of these nodes, and its size; blanks have size 0, and are one space outside code.

        A node of text gives the text, a tag what it stands for. Two of three nodes are blanks: those
        are told by their bytes, and no string is cut out for them.
        """
        tags, text = self._tags, self._tags.text
        pieces = [" "] * len(nodes)
        sizes = np.zeros(len(nodes), np.int64)
        is_text = nodes % 2 == 1
        owners = nodes[is_text] // 2
        firsts, ends = tags.ends[owners] + 1, tags.starts[owners + 1]
        filled = np.flatnonzero(~tags.is_blank[owners] | is_code[owners])
        texts = [
            text[first:end]
            for first, end in zip(firsts[filled].tolist(), ends[filled].tolist(), strict=True)
        ]
        texts = [plain_text(piece) if "&" in piece else piece for piece in texts]
        of_tags = np.flatnonzero(~is_text)
        texts += [self._tag_texts[tag] for tag in (nodes[of_tags] // 2).tolist()]
        indices = np.concatenate([np.flatnonzero(is_text)[filled], of_tags])
        for index, piece in zip(indices.tolist(), texts, strict=True):
            pieces[index] = piece
        sizes[indices] = [0 if piece.isspace() else len(piece) for piece in texts]
        return pieces, sizes

    def _count_marks(self, blocks: Blocks, owners: Ints, sizes: Ints, block: Ints) -> None:
        """Count links and bold text of each block.

        The arguments say of each piece of text which tag stands before it, how long it is, and in
        which block.
        """
        num, closings = len(blocks.texts), self._tags.closings
        # Links do not nest: the last one that opened holds a piece, or none does.
        is_link = self._kinds == Kind.LINK
        last = np.maximum.accumulate(np.where(is_link, np.arange(len(is_link)), 0))[owners]
        linked = is_link[last] & (closings[last] > owners)
        blocks.link_chars = np.bincount(block, sizes * linked, num).astype(np.int64)
        of_block, link = block[linked], last[linked]
        is_new = (np.diff(of_block, prepend=-1) != 0) | (np.diff(link, prepend=-1) != 0)
        blocks.num_links = np.bincount(of_block[is_new], minlength=num)
        bold = self._tags.covered(np.flatnonzero(self._kinds == Kind.BOLD))[owners]
        blocks.bold_chars = np.bincount(block, sizes * bold, num).astype(np.int64)


def _by_element(numbers: Ints) -> dict[int, int]:
    """The numbers that some elements are given, by index of the element."""
    return {element: int(numbers[element]) for element in np.flatnonzero(numbers >= 0).tolist()}


def _count_equal(ascending: Ints, numbers: Ints) -> Ints:
    """How many items of a sorted array equal each number."""
    return np.searchsorted(ascending, numbers, "right") - np.searchsorted(ascending, numbers)


def _count_between(nodes: Ints, first_nodes: Ints) -> Ints:
    """How many of the nodes stand before each block's first node and behind that of the one before."""
    return np.diff(np.searchsorted(nodes, first_nodes), prepend=0)


def _tidy(text: str, form: int) -> str:
    """Blanks become one space; lines end where <br> stands, two of them leave an empty line.

    Code keeps its line ends and indentation. Between Chinese or Japanese characters a line end of the
    source is no space.
    """
    if form == _CODE:
        return text.replace(BREAK, "\n").strip("\n")
    if "\n" in text and not text.isascii():
        text = _WIDE_LINE_END.sub("", text)
    if form == _PLAIN:
        return " ".join(text.split())
    lines = [" ".join(line.split()) for line in text.split(BREAK)]
    kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    return "\n".join(kept).strip("\n")
