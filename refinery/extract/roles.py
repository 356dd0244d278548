"""Elements that take their meaning from `role`: tables, lists and headings made of other elements.

Source: WAI-ARIA 1.2, section 5.4. Browsers and readers treat them as the elements of HTML that they name.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from refinery.extract.signs import Signs
from refinery.extract.tag_kinds import TAG_IDS, Kind
from refinery.extract.tags import Tags

Ints = NDArray[np.int64]

_ROLE = re.compile(
    r' role="(table|grid|rowgroup|row|cell|gridcell|columnheader|rowheader|list|listitem)"'
)
_HEADING = re.compile(r' role="heading"')
_LEVEL = re.compile(r' aria-level="([1-6])"')
_ELEMENT_OF = {
    "table": "table", "grid": "table", "rowgroup": "tbody", "row": "tr", "cell": "td", "gridcell": "td",
    "columnheader": "th", "rowheader": "th", "list": "ul", "listitem": "li",
}  # fmt: skip
# Without one of these roles nothing on a page is a table or a list by its role.
_SIGNS = ("listitem", "columnheader", "rowheader", "gridcell")
# Elements that say nothing of their own; a heading or a row of HTML stays what it is.
_PLAIN = (TAG_IDS["other"], TAG_IDS["div"], TAG_IDS["p"], TAG_IDS["section"])


def read_roles(tags: Tags, kinds: Ints, tag_ids: Ints, signs: Signs) -> None:
    """Give elements with a role the kind and the tag [T] of the element that the role names."""
    for tag in signs.find_named(_HEADING, "heading"):
        level = _LEVEL.search(tags.markup_of(tag))
        _become(tag, f"h{level[1] if level else 2}", kinds, tag_ids)
    if not signs.has(*_SIGNS):
        return
    for match in _ROLE.finditer(tags.text):
        tag = tags.index_at(match.start())
        if tags.is_opening[tag] and match.end() <= tags.ends[tag]:
            _become(tag, _ELEMENT_OF[match[1]], kinds, tag_ids)


def _become(tag: int, name: str, kinds: Ints, tag_ids: Ints) -> None:
    if tag > 0 and kinds[tag] in (Kind.BLOCK, Kind.INLINE) and tag_ids[tag] in _PLAIN:
        kinds[tag], tag_ids[tag] = Kind.BLOCK, TAG_IDS[name]
