"""Elements that a page hides: from everybody at first sight, or from screen readers.

What is hidden inside a line is a remark for machines and is left out. A hidden part of the page may
be an answer that a click unfolds, or keywords for search engines: that is for the classifier to
tell, by features.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from refinery.extract.tags import Tags

Ints = NDArray[np.int64]

# What is searched for in the markup; a pattern without regard to case would be ten times slower.
_SIGNS = (' hidden="', 'aria-hidden="true', "display", "visibility", "DISPLAY", "VISIBILITY")
_STYLE = re.compile(
    r" style=\"[^\"]*?(?:display\s*:\s*none|visibility\s*:\s*hidden)|"
    r" hidden=\"(?!until-found)",
    re.I,
)
_LINE_KEEPING = ("white-space",)
_KEEPS_LINES = re.compile(r" style=\"[^\"]*?white-space\s*:\s*(?:pre|break-spaces)", re.I)
_ARIA = re.compile(r" aria-hidden=\"true\"", re.I)
# Words in class, id or role of what a reader can unfold.
_UNFOLDS = re.compile(
    r"(?:class|id|role|data-\w+)=\"[^\"]*(?:accordion|collaps|tab|panel|toggle|spoiler|faq|answer|"
    r"expand|more|full|dropdown-content|until-found)",
    re.I,
)


class Hidden(IntEnum):
    """How a page hides an element; numbers of bits."""

    FROM_ALL = 0  # by `hidden` or a style of its own
    UNFOLDING = 1  # the same, but a reader can unfold it
    FROM_READERS = 2  # `aria-hidden`: drawn, but not read aloud


@dataclass
class HiddenElements:
    """Indices of opening tags, in order.

    Attributes:
        hidden: By the attribute `hidden`, or by a style of their own.
        unfolding: Those of the hidden ones that a reader can unfold, by their names.
        aria: Hidden from screen readers alone.
    """

    hidden: list[int] = field(default_factory=list)
    unfolding: list[int] = field(default_factory=list)
    aria: list[int] = field(default_factory=list)


def find_line_keepers(tags: Tags) -> Ints:
    """Opening tags of the elements whose style keeps the line ends of the source; <pre> apart."""
    found = [
        tag for tag in _tags_with(tags, _LINE_KEEPING) if _KEEPS_LINES.search(tags.markup_of(tag))
    ]
    return np.array(found, np.int64)


def find_hidden(tags: Tags) -> HiddenElements:
    """Find the tags of a body that hide their element."""
    found = HiddenElements()
    for tag in _tags_with(tags, _SIGNS):
        markup = tags.markup_of(tag)
        if _STYLE.search(markup):
            found.hidden.append(tag)
            if _UNFOLDS.search(markup):
                found.unfolding.append(tag)
        elif _ARIA.search(markup):
            found.aria.append(tag)
    return found


def _tags_with(tags: Tags, signs: tuple[str, ...]) -> list[int]:
    """Opening tags that hold one of the signs, in order."""
    text, offsets = tags.text, []
    for sign in signs:
        offset = text.find(sign)
        while offset >= 0:
            offsets.append(offset)
            offset = text.find(sign, offset + len(sign))
    if not offsets:
        return []
    where = np.array(offsets, np.int64)
    tag = np.searchsorted(tags.starts, where, "right") - 1
    # Text between tags may say the same.
    inside = (where < tags.ends[tag]) & tags.is_opening[tag]
    signed: list[int] = np.unique(tag[inside]).tolist()
    return signed
