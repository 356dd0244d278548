"""What stands in a line and is no part of what it says: marks to link, to edit, to go back; page numbers.

So do remarks for those who hear a page; who sees it reads something else instead.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from refinery.extract.code import is_copy_button, may_copy
from refinery.extract.inline import plain_text
from refinery.extract.scan.names import number_of
from refinery.extract.signs import Signs
from refinery.extract.tag_kinds import Kind
from refinery.extract.tags import Tags

Ints = NDArray[np.int64]

_BUTTON, _LINK = number_of("button"), number_of("a")
_MARKUP = re.compile(r"<[^>]*>")
# What a link says that leads to its own heading, or back from a note.
_LINK_MARKS = re.compile("[¶§#↩↑⤴⏎^🔗⚓∞\ufe0e\ufe0f\u200b\u2060 ]+")
_LINK_MARKUP_BYTES = 12
_IS_LETTER = np.array([byte < 128 and chr(byte).isalnum() for byte in range(256)])
_EDITS = re.compile(
    r' class="(?:[^"]* )?(?:mw-editsection|editsection|viewcode-link|mw-cite-backlink)[ "]'
)
_PAGE = re.compile(r' class="(?:[^"]* )?page-?(?:n|num|no|number)[ "]')
_PAGE_NUMBER = re.compile(r"(?i)[\[({]?\s*(?:p|pg|page|s)?\.?\s*(?:\d{1,4}|[ivxlc]{1,7})\s*[\])}]?")
_HEARD = re.compile(
    r' class="(?:[^"]* )?(?:sr-only|visually-?hidden|screen-?reader(?:-text|-only)?|a-offscreen|offscreen|'
    r'assistive-text)[ "]'
)
_SAYS = re.compile(r"\w")
_BLOCK, _VOID, _SKIP = int(Kind.BLOCK), int(Kind.VOID), int(Kind.SKIP)
_LINK_KIND = int(Kind.LINK)
_LINES = (int(Kind.INLINE), _LINK_KIND, int(Kind.BOLD))


def find_left_out(tags: Tags, kinds: Ints, signs: Signs) -> list[int]:
    """Opening tags of the elements inside a line whose text is left out."""
    found = [tag for tag in _links(tags, kinds) if _is_mark(tags, tag)]
    found += signs.find_named(_EDITS, "editsection", "viewcode", "backlink")
    for tag in signs.find_named(_PAGE, "pagen", "page-n"):
        if kinds[tag] in _LINES and _PAGE_NUMBER.fullmatch(_text_of(tags, tag)):
            found.append(tag)
    found += _heard(tags, kinds, signs)
    found += [tag for tag in may_copy(tags, tags.named(_BUTTON)) if is_copy_button(tags, tag)]
    return found


def _heard(tags: Tags, kinds: Ints, signs: Signs) -> list[int]:
    """Remarks for those who hear the page; one that is all the text of its block stands for an icon, and is kept."""
    words = ("sr-only", "visually", "screen-reader", "screenreader", "offscreen", "assistive")
    remarks = []
    for tag in signs.find_named(_HEARD, *words):
        is_in_line = kinds[tag] in _LINES and not (kinds[tag : tags.closings[tag]] == _BLOCK).any()
        # The stroke of a fraction and the like is needed by those who copy the line.
        if is_in_line and _SAYS.search(_text_of(tags, tag)):
            remarks.append(tag)
    if not remarks:
        return []
    blocks = np.flatnonzero(kinds == _BLOCK)
    is_border = (kinds == _BLOCK) | (kinds == _VOID)
    is_border[tags.closings[blocks]] = True
    runs = np.cumsum(is_border)
    is_seen = ~tags.is_blank & ~tags.covered(np.array(remarks, np.int64)) & (kinds != _SKIP)
    seen_runs = set(runs[is_seen].tolist())
    return [tag for tag in remarks if int(runs[tag]) in seen_runs]


def _links(tags: Tags, kinds: Ints) -> list[int]:
    """Links with so little inside that it may be a mark."""
    links = tags.named(_LINK)
    firsts = tags.lasts[links] + 1
    sizes = tags.firsts[tags.closings[links]] - firsts
    # Nearly all of them begin with a letter.
    may_be = (sizes > 0) & (sizes <= _LINK_MARKUP_BYTES) & ~_IS_LETTER[tags.markup[firsts]]
    short = links[may_be]
    found: list[int] = short[kinds[short] == _LINK_KIND].tolist()
    return found


def _is_mark(tags: Tags, tag: int) -> bool:
    inside = tags.inside_of(tag)
    return not inside[0].isalnum() and bool(_LINK_MARKS.fullmatch(_MARKUP.sub("", inside)))


def _text_of(tags: Tags, tag: int) -> str:
    return plain_text(_MARKUP.sub("", tags.inside_of(tag))).strip()
