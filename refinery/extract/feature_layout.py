"""Which features a block has, and where in its row each of them stands.

A row is parts in this order: text, own element, position, blocks nearby, windows, containers, likes, landmarks.
The trees of the weights name features by number: `feature_rows.py` says what that binds.
Shapes: F features.
"""

from __future__ import annotations

from refinery.extract.feature_rows import (
    ContainerRow,
    LandmarkRow,
    OwnRow,
    PositionRow,
    SiblingRow,
    SumRow,
    TextRow,
)
from refinery.extract.hidden import Hidden
from refinery.extract.hints import NUM_HINTS
from refinery.extract.tag_kinds import NAME_WORDS

FEATURES_VERSION = 7

# Names of elements that a block may stand in; a flag each.
ANCESTORS = (
    "article", "main", "nav", "header", "footer", "aside", "form", "table", "ul", "ol", "section",
    "blockquote", "pre", "figure", "button", "noscript", "details", "dl", "p", "li", "tr",
)  # fmt: skip
NUM_ABOVE = len(ANCESTORS) + len(NAME_WORDS) + len(Hidden)
# Features of a block that are given for the blocks around it, too.
SHIFTS = (-2, -1, 1, 2)
_SHIFTED_TEXT = (
    TextRow.LOG_CHARS,
    TextRow.LOG_WORDS,
    TextRow.LINKED_FRACTION,
    TextRow.NUM_LINKS,
    TextRow.NUM_STOPS,
    TextRow.COMMAS_PER_WORD,
    TextRow.STOPS_PER_WORD,
    TextRow.WIDE_FRACTION,
    TextRow.ENDS_WITH_STOP,
)
_SHIFTED_OWN = (OwnRow.TAG, OwnRow.PARENT_TAG)
# How far windows reach before and behind a block.
REACHES = (3, 10)
# How many distinct containers around a block are described, the innermost first.
NUM_LEVELS = 6
# Sums that are given per block of a container, and as shares of the page's.
_PER_BLOCK = (
    SumRow.WORDS,
    SumRow.LINKED_WORDS,
    SumRow.STOPS,
    SumRow.LONG_BLOCKS,
    SumRow.LINKS,
    SumRow.IMAGES,
    SumRow.CONTROLS,
    SumRow.HEADINGS,
    SumRow.PARAGRAPHS,
    SumRow.LIST_ITEMS,
)
_OF_PAGE = tuple(SumRow)[: SumRow.BLOCKS + 1]
# Blocks are compared with those under the same path as their element, and as its parent.
SIBLING_GROUPS = ("element", "parent")
# How many of the containers tell the mark with which they begin.
NUM_MARK_LEVELS = 4

# Plain numbers, as kernels read them: where each part begins, and how long it is.
NUM_SUMS, NUM_OF_PAGE = len(SumRow), len(_OF_PAGE)
NUM_CONTAINER = len(_PER_BLOCK) + NUM_OF_PAGE + len(ContainerRow)
NUM_SIBLING = len(SiblingRow)
PER_BLOCK = tuple(int(row) for row in _PER_BLOCK)
OWN = len(TextRow)
ABOVE = OWN + len(OwnRow)
NEAR = ABOVE + NUM_ABOVE
POSITION = NEAR + len(NAME_WORDS)
HINTS = POSITION + len(PositionRow)
SHIFTED = HINTS + NUM_HINTS
SHIFTED_FROM = (*(int(row) for row in _SHIFTED_TEXT), *(OWN + row for row in _SHIFTED_OWN))
WINDOWS = SHIFTED + len(SHIFTS) * len(SHIFTED_FROM)
CONTAINERS = WINDOWS + 2 * len(REACHES) * NUM_SUMS
SIBLINGS = CONTAINERS + NUM_LEVELS * NUM_CONTAINER
LANDMARKS = SIBLINGS + len(SIBLING_GROUPS) * NUM_SIBLING
MARK_LEVELS = LANDMARKS + len(LandmarkRow)
NUM_FEATURES = MARK_LEVELS + NUM_MARK_LEVELS


def _own_names() -> list[str]:
    return [
        *(row.name for row in OwnRow),
        *(f"IS_IN_{name.upper()}" for name in ANCESTORS),
        *(f"{word.upper()}_ABOVE" for word in NAME_WORDS),
        *(f"IS_HIDDEN_{way.name}" for way in Hidden),
        *(f"{word.upper()}_NEAR" for word in NAME_WORDS),
    ]


def _container_names() -> list[str]:
    return [
        *(f"{row.name}_PER_BLOCK" for row in _PER_BLOCK),
        *(f"{row.name}_OF_PAGE" for row in _OF_PAGE),
        *(row.name for row in ContainerRow),
    ]


def feature_names() -> list[str]:
    """[F] names of the features in the order of a row, on which the weights depend."""
    shifted = [f"text.{row.name}" for row in _SHIFTED_TEXT]
    shifted += [f"own.{row.name}" for row in _SHIFTED_OWN]
    return [
        *(f"text.{row.name}" for row in TextRow),
        *(f"own.{name}" for name in _own_names()),
        *(f"position.{row.name}" for row in PositionRow),
        *(f"position.HINT_{number}" for number in range(NUM_HINTS)),
        *(f"shift_{by:+d}.{name}" for by in SHIFTS for name in shifted),
        *(
            f"window_{reach}_{side}.{row.name}"
            for reach in REACHES
            for side in ("before", "behind")
            for row in SumRow
        ),
        *(f"level_{level}.{name}" for level in range(NUM_LEVELS) for name in _container_names()),
        *(f"siblings_of_{group}.{row.name}" for group in SIBLING_GROUPS for row in SiblingRow),
        *(f"landmark.{row.name}" for row in LandmarkRow),
        *(f"level_{level}.FIRST_MARK" for level in range(NUM_MARK_LEVELS)),
    ]
