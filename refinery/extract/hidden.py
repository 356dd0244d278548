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

from refinery.extract.scan.attributes import IS_ARIA_HIDDEN, IS_HIDDEN, KEEPS_LINES
from refinery.extract.tags import Tags

Ints = NDArray[np.int64]

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
    return np.flatnonzero(tags.attribute_bits & KEEPS_LINES)


def find_hidden(tags: Tags) -> HiddenElements:
    """Find the tags of a body that hide their element."""
    found = HiddenElements()
    bits = tags.attribute_bits & (IS_HIDDEN | IS_ARIA_HIDDEN)
    chosen = np.flatnonzero(bits)
    for tag, own in zip(chosen.tolist(), bits[chosen].tolist(), strict=True):
        if not own & IS_HIDDEN:
            found.aria.append(tag)
            continue
        found.hidden.append(tag)
        if _UNFOLDS.search(tags.markup_of(tag)):
            found.unfolding.append(tag)
    return found
