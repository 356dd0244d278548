"""What stands for some tags of a page as text, and what of a page is no text at all.

Shapes: T tags, opening and closing ones, in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from refinery.extract.config import Formulas
from refinery.extract.formulas import formula_of_image, read_formulas
from refinery.extract.hidden import HiddenElements, find_hidden
from refinery.extract.inline import image_names, sticker_names
from refinery.extract.scripts import script_marks
from refinery.extract.tag_kinds import IS_MARKED, IS_UNKNOWN, KIND_OF, MARKED_OF, Kind
from refinery.extract.tags import Tags

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


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
        is_skipped: [T] whether the text behind each tag is no text of the page.
        texts: By index of a tag.
        hidden: The elements that the page hides.
    """

    kinds: Ints
    is_skipped: Bools
    texts: dict[int, str]
    hidden: HiddenElements


def read_tag_texts(tags: Tags, drawing: Drawing) -> TagTexts:
    """Tell the kinds of tags apart, and read what is drawn otherwise than as text."""
    kinds = _kinds_of(tags)
    is_skipped = tags.covered(np.flatnonzero(kinds == Kind.SKIP))
    kinds[is_skipped] = Kind.SKIP
    formulas = read_formulas(tags, drawing.formulas, has_scripts=drawing.has_scripts)
    texts = {tag: text for tag, text in formulas.texts.items() if kinds[tag] != Kind.SKIP}
    for tag, closing in formulas.covered:
        kinds[tag + 1 : closing] = Kind.SKIP
        is_skipped[tag:closing] = True
    hidden = find_hidden(tags)
    remarks = _remarks(tags, kinds, hidden, list(texts))
    inside = tags.covered(remarks)
    kinds[inside] = Kind.SKIP
    is_skipped |= inside
    texts.update(_images(tags, np.flatnonzero(kinds == Kind.IMAGE), drawing))
    marked = np.flatnonzero(IS_MARKED[tags.name_ids] & (kinds == Kind.INLINE))
    names = (MARKED_OF[number] for number in tags.name_ids[marked].tolist())
    texts.update(script_marks(tags, zip(marked.tolist(), names, strict=True)))
    return TagTexts(kinds, is_skipped, texts, hidden)


def _kinds_of(tags: Tags) -> Ints:
    kinds: Ints = KIND_OF[tags.name_ids]
    kinds[~tags.is_opening] = Kind.CLOSING
    # Whatever its name says, the body is the block that holds all others.
    kinds[0] = Kind.BLOCK
    # Browsers draw an element that they do not know inside the line. One that holds a block is laid
    # out by the page's own style, as the parts of most web components are.
    unknown = np.flatnonzero(IS_UNKNOWN[tags.name_ids] & (kinds == Kind.INLINE))
    num_blocks = np.cumsum(kinds == Kind.BLOCK)
    holding = num_blocks[tags.closings[unknown]] > num_blocks[unknown]
    kinds[unknown[holding]] = Kind.BLOCK
    return kinds


def _remarks(tags: Tags, kinds: Ints, hidden: HiddenElements, formulas: list[int]) -> Ints:
    """Hidden elements inside a line: they hold neither a block nor a formula, and do not unfold."""
    chosen = np.setdiff1d(np.array(hidden.hidden, np.int64), hidden.unfolding)
    chosen = chosen[np.isin(kinds[chosen], (Kind.INLINE, Kind.LINK, Kind.BOLD))]
    is_more = kinds == Kind.BLOCK
    is_more[formulas] = True
    num_more = np.cumsum(is_more)
    remarks: Ints = chosen[num_more[tags.closings[chosen]] == num_more[chosen]]
    return remarks


def _images(tags: Tags, images: Ints, drawing: Drawing) -> dict[int, str]:
    markup = [tags.text[i:j] for i, j in zip(*tags.spans(images), strict=True)]
    name_images = image_names if drawing.image_text else sticker_names
    names = name_images(markup)
    for index, tag in enumerate(markup):
        formula = formula_of_image(tag)
        if formula:
            names[index] = "" if drawing.formulas == "drop" else formula
    return dict(zip(images.tolist(), names, strict=True))
