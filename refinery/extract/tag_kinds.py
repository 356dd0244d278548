"""What each tag name means to the extractor: tables by name, and by the numbers of names.

Shapes: M names known here, their numbers from 1; 0 is any other name.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from refinery.extract.scan.names import BUILDER_NAMES


class Kind(IntEnum):
    """What a tag does to the text around it."""

    BLOCK = 0  # begins a block, and its closing tag ends it
    INLINE = 1  # stays inside a line of text; unknown names are such unless they hold a block
    LINK = 2
    BOLD = 3
    BREAK = 4  # <br>
    VOID = 5  # ends a block and holds nothing
    SKIP = 6  # is no text, with all that it holds
    IMAGE = 7
    MATH = 8
    CLOSING = 9  # any closing tag


# What ends a line of text. The names whose `display` in the HTML standard's section on rendering is
# block, list-item or a part of a table; then those that pages lay out as such.
_BLOCK_NAMES = (
    "address article aside blockquote body center dd details dir div dl dt fieldset figcaption "
    "figure footer form frameset h1 h2 h3 h4 h5 h6 header hgroup html legend li listing main menu "
    "nav ol optgroup option p plaintext pre search section summary ul xmp "
    "caption colgroup table tbody td tfoot th thead tr "
    "button head marquee noscript title"
)
_VOID_BLOCK_NAMES = "col frame hr"
_SKIPPED_NAMES = (
    "script style template svg iframe noembed noframes object select textarea canvas video audio "
    "map datalist dialog"
)
_KINDS = {
    **dict.fromkeys(_BLOCK_NAMES.split(), Kind.BLOCK),
    **dict.fromkeys(_VOID_BLOCK_NAMES.split(), Kind.VOID),
    **dict.fromkeys(_SKIPPED_NAMES.split(), Kind.SKIP),
    "a": Kind.LINK, "b": Kind.BOLD, "strong": Kind.BOLD, "br": Kind.BREAK, "img": Kind.IMAGE,
    "math": Kind.MATH,
}  # fmt: skip
# Tags that features tell apart. The trees compare their numbers, so the order belongs to the weights.
TAGS = (
    "other", "p", "li", "div", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote",
    "dd", "dt", "article", "main", "section", "nav", "header", "footer", "aside", "form", "table",
    "tr", "ul", "ol", "figure", "figcaption", "button", "noscript", "details", "summary", "dl",
    "caption", "address", "body", "tbody", "thead", "center", "fieldset", "head", "title", "tfoot",
)  # fmt: skip
TAG_IDS = {name: tag_id for tag_id, name in enumerate(TAGS)}
# Consecutive, so that a heading is told by two comparisons.
HEADING_IDS = tuple(TAG_IDS[f"h{level}"] for level in range(1, 7))
# Words that are searched for in names of elements; these are what gained F1, of forty tried.
NAME_WORDS = (
    "comment", "foot", "entry", "author", "recommend", "modal", "desc", "nav", "review", "text",
    "body", "content", "menu", "main", "product", "post",
)  # fmt: skip
# Attributes that name an element beside its classes.
NAME_ATTRIBUTES = ("id", "role", "itemprop")
# Names whose elements may need a mark around them, as `scripts.py` gives it.
MARKED_NAMES = ("sup", "sub", "rt", "q")
_CONTROLS = ("input", "button", "select", "textarea", "svg", "label", "form")
# Names without a meaning of their own here, but that browsers know: like those without a number they
# stay inside the line, unless they hold a block.
_KNOWN = {
    *_KINDS, *TAGS[1:], *_CONTROLS, *MARKED_NAMES, "embed", "keygen", "param", "source", "track", "wbr",
    "area", "base", "basefont", "bgsound", "link", "meta",
}  # fmt: skip

# Tables [1 + M] by number of a name.
KIND_OF = np.array(
    [Kind.INLINE, *(_KINDS.get(name, Kind.INLINE) for name in BUILDER_NAMES)], np.int64
)
IS_UNKNOWN = np.array([True, *(name not in _KNOWN for name in BUILDER_NAMES)])
# Old names of <pre>.
_TAG_OF = {**TAG_IDS, **dict.fromkeys(("listing", "plaintext", "xmp"), TAG_IDS["pre"])}
TAG_ID_OF = np.array([0, *(_TAG_OF.get(name, 0) for name in BUILDER_NAMES)])
IS_CONTROL = np.array([False, *(name in _CONTROLS for name in BUILDER_NAMES)])
