"""Lines of verse that are elements of their own: a stanza is one block, its lines end by breaks."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from refinery.extract.scan.names import hash_name
from refinery.extract.signs import Signs
from refinery.extract.tag_kinds import TAG_IDS, Kind
from refinery.extract.tags import Tags

Ints = NDArray[np.int64]

_STANZA = re.compile(
    r' class="(?:[^"]* )?(?:stanza|strophe|verse|lg|line-?group|poem-?stanza|poetry-?stanza)[ "]'
)
# TEI's element of that name, as e-books write it; too short a word to look for. The hash is the scan's.
_LINE_GROUP = hash_name("lg") | 1
_SIGNS = ("stanza", "strophe", "verse", "line-group", "linegroup", "poem", "poet")
_LINES = (TAG_IDS["div"], TAG_IDS["p"], TAG_IDS["other"])


def lay_out_verse(tags: Tags, kinds: Ints, tag_ids: Ints, signs: Signs) -> None:
    """Make the lines of each stanza part of one block; `kinds` [T] are set so."""
    stanzas = signs.find_named(_STANZA, *_SIGNS)
    stanzas += np.flatnonzero((tags.classes == _LINE_GROUP) & tags.is_opening).tolist()
    for stanza in stanzas:
        closing = int(tags.closings[stanza])
        lines = stanza + 1 + np.flatnonzero(kinds[stanza + 1 : closing] == Kind.BLOCK)
        ends = tags.closings[lines]
        # Lines follow each other, and hold no blocks.
        if (
            len(lines) < 2
            or (ends[:-1] > lines[1:]).any()
            or not np.isin(tag_ids[lines], _LINES).all()
        ):
            continue
        kinds[lines], kinds[ends] = Kind.INLINE, Kind.BREAK
