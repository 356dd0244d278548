"""Find what stands behind a page's own article: teasers and texts of next articles, notices about cookies.

A page that declares an article, and puts its headline into an <article>, says where that ends. Prose behind it that
stands in no <article> is another text, however much it reads like one.
Shapes: N blocks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from refinery.extract.blocks import Blocks
from refinery.extract.tag_kinds import HEADING_IDS, TAG_IDS

Bools = NDArray[np.bool_]

# A shorter heading stands in a title by chance.
HEADLINE_CHARS = 8
# An <article> that keeps fewer words is a teaser, or the head of an article that goes on elsewhere.
FEWEST_WORDS = 50

_ARTICLE = TAG_IDS["article"]


def find_behind(blocks: Blocks, kept: Bools, words: NDArray[np.float32]) -> Bools:
    """Whether each block [N] stands behind the page's own article, and in no other one."""
    behind = np.zeros(len(kept), np.bool_)
    articles = np.flatnonzero(blocks.tag_ids == _ARTICLE).tolist()
    if not articles or not blocks.hints.declares_article:
        return behind
    headline = _find_headline(blocks)
    for first, end in ((int(blocks.starts[a]), int(blocks.ends[a])) for a in articles):
        if first <= headline < end and words[first:end] @ kept[first:end] >= FEWEST_WORDS:
            behind[end:] = True
    for article in articles:
        behind[blocks.starts[article] : blocks.ends[article]] = False
    return behind


def _find_headline(blocks: Blocks) -> int:
    """The first heading of the highest level that the page's title holds; -1 where there is none."""
    title, tags = blocks.title or "", blocks.tag_ids[blocks.elements]
    is_heading = (tags >= HEADING_IDS[0]) & (tags <= HEADING_IDS[-1])
    found = [
        (int(tags[block]), block)
        for block in np.flatnonzero(is_heading).tolist()
        if len(blocks.texts[block]) >= HEADLINE_CHARS and blocks.texts[block] in title
    ]
    return min(found)[1] if found else -1
