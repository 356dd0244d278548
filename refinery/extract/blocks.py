"""A page as a list of text blocks and the tree of elements that hold them.

The parser repairs the page and writes it anew; its tags and text are computed on as arrays, since a
loop over the nodes in Python took several times as long.
Shapes: T tags, opening and closing ones, E elements, N blocks. A place is 2t for the tag t, 2t + 1
for the text behind it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from selectolax.lexbor import LexborDocumentOptions, LexborHTMLParser

from refinery.extract.hints import Hints, read_hints
from refinery.extract.inline import Formulas, formula_of, image_names, plain_text, sticker_names
from refinery.extract.nesting import Nesting, number_paths
from refinery.extract.tags import RAW_TEXT_NAMES, VOID_NAMES, TagNames, read_tags, write_body
from refinery.extract.trim import trim_markup

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

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
_BLOCK, _LINE, _LINK, _BOLD, _BREAK_TAG, _VOID, _SKIP, _IMAGE, _MATH, _CLOSE = range(10)
_KINDS = {
    **dict.fromkeys(_INLINE_NAMES.split(), _LINE),
    **dict.fromkeys("area base basefont col hr link meta frame bgsound".split(), _VOID),  # noqa: SIM905
    **dict.fromkeys(_SKIPPED_NAMES.split(), _SKIP),
    "a": _LINK, "b": _BOLD, "strong": _BOLD, "br": _BREAK_TAG, "img": _IMAGE, "math": _MATH,
}  # fmt: skip
TAGS = (
    "other", "p", "li", "div", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote",
    "dd", "dt", "article", "main", "section", "nav", "header", "footer", "aside", "form", "table",
    "tr", "ul", "ol", "figure", "figcaption", "button", "noscript", "details", "summary", "dl",
    "caption", "address", "body", "tbody", "thead", "center", "fieldset", "head", "title",
)  # fmt: skip
TAG_IDS = {name: place for place, name in enumerate(TAGS)}
# Of forty words that were tried, those by which the trees gained something.
WORDS = (
    "comment", "foot", "entry", "author", "recommend", "modal", "desc", "nav", "review", "text",
    "body", "content", "menu", "main", "product", "post",
)  # fmt: skip
# What names an element beside its classes.
_ATTRIBUTES = ("id", "role", "itemprop")
_CONTROLS = ("input", "button", "select", "textarea", "svg", "label", "form")
_NAMES = sorted({*_KINDS, *TAGS[1:], *_CONTROLS, *VOID_NAMES, *RAW_TEXT_NAMES})
_NUMBERS = TagNames(_NAMES)
# By number of a name, 0 being any other.
_KIND_OF = np.array([_BLOCK, *(_KINDS.get(name, _BLOCK) for name in _NAMES)])
_TAG_OF = np.array([0, *(TAG_IDS.get(name, 0) for name in _NAMES)])
_IS_CONTROL = np.array([False, *(name in _CONTROLS for name in _NAMES)])
_IS_VOID = np.array([False, *(name in VOID_NAMES for name in _NAMES)])
_IS_NOTE = np.array([False, *(name == "annotation" for name in _NAMES)])
_IS_RAW = np.array([False, *(name in RAW_TEXT_NAMES for name in _NAMES)])
_PLAIN, _BROKEN, _CODE = range(3)
_SPACES = re.compile(r"\s+")
# Marks <br> apart from line ends of the source; no parsed page holds it.
_BREAK = "\0"
_PRE = TAG_IDS["pre"]
MAX_BLOCKS = 20_000
# Nobody listens to changes of the tree.
_OPTIONS = LexborDocumentOptions.WO_EVENTS.value


def _no_ints() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(slots=True)
class Blocks:
    """Blocks in order, and elements in order of opening; `starts`/`ends` are block numbers.

    `elements`, `link_chars`, `num_links`, `bold_chars`, `num_breaks` are [N], and so are
    `num_images` and `num_controls`, which count what stands before each block. `tags`, `parents`,
    `depths`, `masks`, `paths`, `starts`, `ends` are [E]; equal `paths` are equal paths of tags and classes, where
    they lead to blocks.
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


def read_blocks(html: str, *, image_text: bool = False, formulas: Formulas = "tex") -> Blocks:
    """Split a page into blocks of text that no block-level tag interrupts.

    Emoji and stickers that are images give their names; other images only with `image_text`. A
    formula is its TeX, where the page gives it, or what is drawn, or nothing.
    """
    trimmed = trim_markup(html)
    tree = LexborHTMLParser(trimmed.markup, options=_OPTIONS)
    title = tree.css_first("title")
    name = _SPACES.sub(" ", title.text()).strip() if title is not None else ""
    body = write_body(tree, is_raw_left=trimmed.is_raw_left)
    blocks = Blocks()
    if body is not None:
        _Reading(body, image_names if image_text else sticker_names, formulas).read(blocks)
    blocks.title = name or None
    blocks.hints = read_hints(trimmed)
    return blocks


class _Reading:
    """The tags of a page's body, what kind each is, and the text between them."""

    def __init__(
        self, body: str, name_images: Callable[[list[str]], list[str]], formulas: Formulas
    ) -> None:
        self._tags = tags = read_tags(body, _NUMBERS, _IS_VOID, _IS_RAW)
        kinds = _KIND_OF[tags.names]
        kinds[~tags.is_opening] = _CLOSE
        kinds[tags.is_single & (kinds == _BLOCK)] = _VOID
        kinds[0] = _BLOCK
        skipped = tags.covered(np.flatnonzero(kinds == _SKIP))
        kinds[skipped] = _SKIP
        self._kinds = kinds
        self._inlays = dict.fromkeys(np.flatnonzero(kinds == _BREAK_TAG).tolist(), _BREAK)
        images = np.flatnonzero(kinds == _IMAGE)
        marks = [tags.text[i:j] for i, j in zip(*tags.spans(images), strict=True)]
        self._inlays.update(zip(images.tolist(), name_images(marks), strict=True))
        for number in np.flatnonzero(kinds == _MATH).tolist():
            end = int(tags.closings[number])
            markup = tags.text[tags.starts[number] : tags.starts[end]]
            tex = formula_of(markup) if formulas == "tex" else ""
            self._inlays[number] = tex
            if tex or formulas == "drop":
                # The TeX stands for what is drawn below it.
                kinds[number + 1 : end] = _SKIP
                skipped[number:end] = True
        if formulas == "drawn":
            notes = tags.covered(np.flatnonzero(_IS_NOTE[tags.names] & tags.is_opening))
            kinds[notes] = _SKIP
            skipped |= notes
        # No text stands behind the last tag.
        self._has_text = np.append(tags.starts[1:] > tags.ends[:-1] + 1, False) & ~skipped

    def read(self, blocks: Blocks) -> None:
        """Gather the text, then the elements around it."""
        kinds, tags = self._kinds, self._tags
        openings = np.flatnonzero(kinds == _BLOCK)
        cuts = (kinds == _BLOCK) | (kinds == _VOID)
        cuts[tags.closings[openings]] = True
        firsts = self._read_texts(blocks, runs=np.cumsum(cuts))
        starts = np.searchsorted(firsts, 2 * openings)
        nesting = Nesting(openings, tags.closings[openings], len(kinds))
        blocks.elements = nesting.holders(firsts // 2)
        # Beyond the bound neither blocks nor elements are read.
        openings = openings[starts < MAX_BLOCKS]
        num = len(openings)
        blocks.starts = starts[:num]
        blocks.ends = np.searchsorted(firsts, 2 * tags.closings[openings])
        blocks.tags = _TAG_OF[tags.names[openings]]
        blocks.parents, blocks.depths = nesting.parents[:num], nesting.depths[:num]
        # No block has a path through an element that holds none.
        holding = blocks.starts < blocks.ends
        classes, blocks.masks = np.zeros(num, np.int64), np.zeros(num, np.int64)
        classes[holding], blocks.masks[holding] = self._read_names(openings[holding])
        blocks.paths = number_paths(blocks.parents, blocks.tags, classes)

    def _read_names(self, openings: Ints) -> tuple[Ints, Ints]:
        """Numbers of the classes of these elements, and bits of the WORDS in what names them."""
        classes, values = self._tags.read_values("class", openings)
        numbers = [classes]
        for name in _ATTRIBUTES:
            found, more = self._tags.read_values(name, openings)
            numbers.append(found + len(values))
            values += more
        masks = _masks(values)
        return classes, np.bitwise_or.reduce([masks[found] for found in numbers])

    def _read_texts(self, blocks: Blocks, *, runs: Ints) -> Ints:
        """Fill what is [N]; returns the place at which each block begins.

        Pieces of text in one run belong to one block, if any of them holds more than blanks.
        """
        kinds, tags = self._kinds, self._tags
        has_piece = np.empty((len(kinds), 2), np.bool_)
        has_piece[:, 0] = (kinds == _BREAK_TAG) | (kinds == _IMAGE) | (kinds == _MATH)
        has_piece[:, 1] = self._has_text
        places = np.flatnonzero(has_piece)
        owners = places // 2
        is_code = tags.covered(np.flatnonzero((kinds == _BLOCK) & (_TAG_OF[tags.names] == _PRE)))
        pieces, sizes = self._pieces(places, is_code)
        is_break = (kinds[owners] == _BREAK_TAG) & (places % 2 == 0)
        sizes[is_break] = 0
        run = runs[owners]
        told = np.flatnonzero(sizes)
        # Runs rise from tag to tag: the blocks are the distinct ones among those that tell.
        is_new = np.diff(run[told], prepend=-1) > 0
        starts, ends = told[is_new][:MAX_BLOCKS], told[np.roll(is_new, -1)][:MAX_BLOCKS] + 1
        numbers, firsts = run[starts], places[starts]
        breaks = run[is_break]
        blocks.num_breaks = np.searchsorted(breaks, numbers, "right") - np.searchsorted(
            breaks, numbers
        )
        forms = np.where(blocks.num_breaks > 0, _BROKEN, _PLAIN)
        code = np.flatnonzero(is_code[firsts // 2])
        # Of code the blanks around it count, too.
        forms[code] = _CODE
        starts[code] = np.searchsorted(run, numbers[code])
        ends[code] = np.searchsorted(run, numbers[code], "right")
        for start, end, form in zip(starts.tolist(), ends.tolist(), forms.tolist(), strict=True):
            text = pieces[start] if end == start + 1 else "".join(pieces[start:end])
            if form == _PLAIN:
                blocks.texts.append(" ".join(text.split()))
            else:
                blocks.texts.append(_tidy_code(text) if form == _CODE else _tidy_lines(text))
        block = np.cumsum(is_new) - 1
        told, block = told[block < MAX_BLOCKS], block[block < MAX_BLOCKS]
        self._count(blocks, owners[told], sizes[told], block)
        images = np.flatnonzero(kinds == _IMAGE)
        controls = np.flatnonzero(_IS_CONTROL[tags.names] & tags.is_opening)
        blocks.num_images = _counted_before(2 * images, firsts)
        blocks.num_controls = _counted_before(2 * controls, firsts)
        return firsts

    def _pieces(self, places: Ints, is_code: Bools) -> tuple[list[str], Ints]:
        """What stands at these places, text or what a tag stands for, and its size; 0 for blanks.

        Two of three are blanks, which are one space where they are not code.
        """
        tags, text = self._tags, self._tags.text
        pieces = [" "] * len(places)
        sizes = np.zeros(len(places), np.int64)
        is_text = places % 2 == 1
        owners = places[is_text] // 2
        firsts, ends = tags.ends[owners] + 1, tags.starts[owners + 1]
        told = np.flatnonzero(~tags.are_blank(firsts, ends) | is_code[owners])
        found = [
            text[first:end]
            for first, end in zip(firsts[told].tolist(), ends[told].tolist(), strict=True)
        ]
        found = [plain_text(piece) if "&" in piece else piece for piece in found]
        tag_places = np.flatnonzero(~is_text)
        found += [self._inlays[tag] for tag in (places[tag_places] // 2).tolist()]
        at = np.concatenate([np.flatnonzero(is_text)[told], tag_places])
        for place, piece in zip(at.tolist(), found, strict=True):
            pieces[place] = piece
        sizes[at] = [0 if piece.isspace() else len(piece) for piece in found]
        return pieces, sizes

    def _count(self, blocks: Blocks, owners: Ints, sizes: Ints, block: Ints) -> None:
        """Links and bold text of each block, from the pieces of its text."""
        num, closings = len(blocks.texts), self._tags.closings
        # Links do not nest: the last one that opened holds a piece, or none does.
        is_link = self._kinds == _LINK
        last = np.maximum.accumulate(np.where(is_link, np.arange(len(is_link)), 0))[owners]
        linked = is_link[last] & (closings[last] > owners)
        blocks.link_chars = np.bincount(block, sizes * linked, num).astype(np.int64)
        of_block, link = block[linked], last[linked]
        is_new = (np.diff(of_block, prepend=-1) != 0) | (np.diff(link, prepend=-1) != 0)
        blocks.num_links = np.bincount(of_block[is_new], minlength=num)
        bold = self._tags.covered(np.flatnonzero(self._kinds == _BOLD))[owners]
        blocks.bold_chars = np.bincount(block, sizes * bold, num).astype(np.int64)


def _masks(names: list[str]) -> Ints:
    """Bits of the WORDS that each name holds; all names are searched as one text."""
    text = _BREAK.join(names).lower()
    # Lower case of a few letters is longer: lengths are taken after it.
    ends = np.cumsum([len(name) + 1 for name in text.split(_BREAK)])
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


def _tidy_lines(text: str) -> str:
    """Runs of space to one; line breaks that the page asked for are kept."""
    lines = (" ".join(line.split()) for line in text.split(_BREAK))
    return "\n".join(line for line in lines if line)
