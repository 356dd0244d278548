"""What stands for some tags of a page as text, and what of a page is no text at all.

Shapes: T tags, opening and closing ones, in order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.extract.code import read_code
from refinery.extract.config import Formulas
from refinery.extract.controls import join_lines, open_windows, read_controls
from refinery.extract.formulas import formula_of_image, read_formulas
from refinery.extract.hidden import HiddenElements, find_hidden, find_line_keepers
from refinery.extract.inline import image_names, sticker_names
from refinery.extract.kinds import fill_kinds, lay_out_unknown, skip_inside
from refinery.extract.left_out import find_left_out
from refinery.extract.roles import read_roles
from refinery.extract.scan.attributes import MAY_SPEAK
from refinery.extract.scan.names import number_of
from refinery.extract.scripts import script_marks
from refinery.extract.signs import Signs
from refinery.extract.tag_kinds import IS_UNKNOWN, KIND_OF, MARKED_NAMES, TAG_ID_OF, Kind
from refinery.extract.tags import Tags
from refinery.extract.verse import lay_out_verse

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_LETTER = re.compile(r' alt="([^\W\d_])"')
_BLOCK, _INLINE, _IMAGE, _SKIP = (
    int(kind) for kind in (Kind.BLOCK, Kind.INLINE, Kind.IMAGE, Kind.SKIP)
)
_IN_LINE = (_INLINE, int(Kind.LINK), int(Kind.BOLD))
_MARKED = tuple((name, number_of(name)) for name in MARKED_NAMES)


@dataclass(frozen=True)
class Drawing:
    """How images and formulas are read.

    Attributes:
        image_text: Whether all images give their alternative text, not only emoji and stickers.
        formulas: As in `ExtractConfig`.
        has_scripts: Whether the page's formulas were written out from MathJax's scripts.
    """

    image_text: bool = False
    formulas: Formulas = "tex"
    has_scripts: bool = False


@dataclass(frozen=True)
class TagTexts:
    """The kinds of a page's tags and the text that some of them stand for.

    Attributes:
        kinds: [T] `Kind` of each tag; SKIP inside what is no text.
        tag_ids: [T] index in `TAGS` of what each element is, by its name, its role or what it holds.
        is_skipped: [T] whether the text behind each tag is no text of the page.
        keeps_lines: [T] whether line ends of the source are drawn behind each tag; code apart.
        texts: By index of a tag.
        hidden: The elements that the page hides.
    """

    kinds: Ints
    tag_ids: Ints
    is_skipped: Bools
    keeps_lines: Bools
    texts: dict[int, str]
    hidden: HiddenElements


def read_tag_texts(tags: Tags, drawing: Drawing) -> TagTexts:
    """Tell the kinds of tags apart, and read what is drawn otherwise than as text."""
    kinds, tag_ids = _kinds_of(tags)
    signs = Signs(tags)
    is_skipped = np.empty(len(kinds), np.bool_)
    skip_inside(tags.closings, kinds, is_skipped)
    controls = read_controls(tags, kinds, signs)
    read_roles(tags, kinds, tag_ids, signs)
    code = read_code(tags, kinds, tag_ids, signs)
    lay_out_verse(tags, kinds, tag_ids, signs)
    for tag in [*code.left_out, *find_left_out(tags, kinds, signs)]:
        kinds[tag + 1 : tags.closings[tag]] = _SKIP
        is_skipped[tag : tags.closings[tag]] = True
    is_skipped[code.blanks] = True
    formulas = read_formulas(tags, drawing.formulas, has_scripts=drawing.has_scripts)
    formula_texts = {tag: text for tag, text in formulas.texts.items() if kinds[tag] != _SKIP}
    texts = {**code.texts, **formula_texts}
    for tag, closing in formulas.covered:
        kinds[tag + 1 : closing] = _SKIP
        is_skipped[tag:closing] = True
    hidden = find_hidden(tags)
    remarks = _remarks(tags, kinds, hidden, list(formula_texts))
    if len(remarks):
        inside = tags.covered(remarks)
        kinds[inside] = _SKIP
        is_skipped |= inside
    texts.update(_images(tags, kinds, drawing))
    # What a drawing or a choice says is not said again inside of a formula or of what is left out.
    texts.update({tag: text for tag, text in controls.items() if not is_skipped[tag - 1]})
    texts.update(script_marks(tags, _marked(tags, kinds)))
    return TagTexts(
        kinds, tag_ids, is_skipped, tags.covered(find_line_keepers(tags)), texts, hidden
    )


def _kinds_of(tags: Tags) -> tuple[Ints, Ints]:
    """The kind of each tag [T], and what it is by its name."""
    kinds, tag_ids, num_blocks = np.empty((3, len(tags.firsts)), np.int64)
    fill_kinds(tags.name_ids, tags.is_opening, KIND_OF, TAG_ID_OF, kinds, tag_ids)
    open_windows(tags, kinds)
    join_lines(tags, kinds)
    lay_out_unknown(tags.name_ids, tags.closings, IS_UNKNOWN, num_blocks, kinds)
    return kinds, tag_ids


def _marked(tags: Tags, kinds: Ints) -> list[tuple[int, str]]:
    """The elements in a line that may need marks around them, in order, with their names."""
    chosen = [(tag, name) for name, number in _MARKED for tag in tags.named(number).tolist()]
    return [(tag, name) for tag, name in sorted(chosen) if kinds[tag] == _INLINE]


def _remarks(tags: Tags, kinds: Ints, hidden: HiddenElements, formulas: list[int]) -> Ints:
    """Hidden elements inside a line: they hold neither a block nor a formula, and do not unfold."""
    unfolding, own_kinds = set(hidden.unfolding), kinds[hidden.hidden].tolist()
    chosen = np.array(
        [
            tag
            for tag, kind in zip(hidden.hidden, own_kinds, strict=True)
            if kind in _IN_LINE and tag not in unfolding
        ],
        np.int64,
    )
    if not len(chosen):
        return chosen
    is_more = kinds == _BLOCK
    is_more[formulas] = True
    num_more = np.cumsum(is_more)
    remarks: Ints = chosen[num_more[tags.closings[chosen]] == num_more[chosen]]
    return remarks


def _letter_of(tags: Tags, image: int, markup: str) -> str:
    """The letter that an image stands for inside a word: an initial, a rare character."""
    letter = _LETTER.search(markup)
    if letter is None:
        return ""
    before, behind = int(tags.starts[image]) - 1, int(tags.ends[image]) + 1
    is_in_word = tags.text[before].isalnum() or tags.text[behind].isalnum()
    return letter[1] if is_in_word else ""


def _images(tags: Tags, kinds: Ints, drawing: Drawing) -> dict[int, str]:
    """What images say, by index of the tag; most of them say nothing, and their tags are not looked at."""
    is_image = kinds == _IMAGE
    if not drawing.image_text:
        is_image &= tags.attribute_bits & MAY_SPEAK != 0
    images = np.flatnonzero(is_image).tolist()
    markup = [tags.markup_of(image) for image in images]
    names = (image_names if drawing.image_text else sticker_names)(markup)
    texts: dict[int, str] = {}
    for image, tag, name in zip(images, markup, names, strict=True):
        formula = formula_of_image(tag)
        if formula:
            texts[image] = "" if drawing.formulas == "drop" else formula
        else:
            texts[image] = name or _letter_of(tags, image, tag)
    return texts
