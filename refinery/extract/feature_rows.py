"""Names of all features of blocks and of cuts.

Every feature is a column of the rows [N, F] of blocks or of the rows [C, G] of cuts. The trees of the weights
name features by number, so the order here belongs to the weights: a new feature, or another order,
means training anew (docs/extraction.md) and raising `FEATURES_VERSION`.
Shapes: N blocks of a page, C cuts.
"""

from __future__ import annotations

from enum import IntEnum


class TextRow(IntEnum):
    """What the text of a block and the marks inside it tell, without its surroundings."""

    LOG_CHARS = 0  # log(1 + code points)
    LOG_WORDS = 1  # log(1 + words); a wide (CJK) character is a word
    LINKED_FRACTION = 2  # code points inside links, of all
    NUM_LINKS = 3
    NUM_STOPS = 4  # sentence marks
    COMMAS_PER_WORD = 5
    STOPS_PER_WORD = 6
    WIDE_FRACTION = 7  # Han, kana and Hangul, of all code points
    UPPER_FRACTION = 8  # A to Z
    DIGIT_FRACTION = 9
    SYMBOL_FRACTION = 10
    CHARS_PER_WORD = 11
    ENDS_WITH_STOP = 12
    BEGINS_WITH_UPPER = 13
    BEGINS_WITH_DIGIT = 14
    BEGINS_WITH_SYMBOL = 15
    BOLD_FRACTION = 16  # code points inside <b> and <strong>, of all
    NUM_BREAKS = 17  # <br>
    TITLE_MATCH = 18  # 1: is the page's title; 0.5: is a part of it
    SAID_MATCH = 19  # 1: begins like the page's own description; -1: too short to tell
    NUM_EQUAL_BLOCKS = 20  # blocks of the page with this text, itself included
    NUM_IMAGES = 21  # between the block before and this one
    NUM_CONTROLS = 22  # form controls, between the block before and this one


class OwnRow(IntEnum):
    """The element of a block. Behind these rows stand one per ancestor name and two per name word."""

    TAG = 0  # number in `TAGS`
    PARENT_TAG = 1
    DEPTH = 2
    IS_HEADING = 3  # h1 to h6
    NUM_H1 = 4  # blocks in <h1> up to here, itself included
    IS_BEHIND_H1 = 5  # whether the row before is above 0


class PositionRow(IntEnum):
    """Where a block stands, and what its page is like. Behind these rows stand the page's hints."""

    INDEX_FRACTION = 0  # blocks before, of all
    WORDS_BEFORE_FRACTION = 1  # words before, of all
    INDEX = 2
    PAGE_LOG_BLOCKS = 3
    PAGE_LOG_WORDS = 4
    PAGE_LINKED_FRACTION = 5  # words inside links, of all
    PAGE_STOP_FRACTION = 6  # blocks that end with a sentence mark, of all
    PAGE_WIDE_FRACTION = 7  # mean of the blocks' `WIDE_FRACTION`
    PAGE_IMAGES_PER_BLOCK = 8
    PAGE_CONTROLS_PER_BLOCK = 9


class SumRow(IntEnum):
    """Counts that are summed over spans of blocks: windows and containers."""

    WORDS = 0
    LINKED_WORDS = 1
    STOPS = 2
    LONG_BLOCKS = 3  # over 15 words, under 30 % of them linked
    LINKS = 4
    PROSE_WORDS = 5  # words of blocks that end with a sentence mark
    BLOCKS = 6
    IMAGES = 7
    CONTROLS = 8
    HEADINGS = 9
    PARAGRAPHS = 10
    LIST_ITEMS = 11


class ContainerRow(IntEnum):
    """A container of a block. Before these rows stand its sums per block and as shares of the page."""

    LINKED_FRACTION = 0  # words inside links, of its words
    LOG_BLOCKS = 1
    LOG_WORDS = 2
    INDEX_FRACTION = 3  # how far the block stands into the container
    TAG = 4
    START_FRACTION = 5  # how far the container begins into the page


class SiblingRow(IntEnum):
    """All blocks of a page under the same path of tags and classes as this one's."""

    LOG_BLOCKS = 0
    WORDS_PER_BLOCK = 1
    LINKED_FRACTION = 2  # words inside links, of all their words
    STOP_FRACTION = 3  # blocks that end with a sentence mark, of all of them
    WORD_FRACTION = 4  # their words, of the page's


class LandmarkRow(IntEnum):
    """How a block stands to the marks of a page (`marks.py`), to its title, and to its own description.

    Distances are blocks, below 0 before what they are measured from. Behind these rows stands the mark with which each
    of the inner containers begins.
    """

    SINCE_COMMENTS = (
        0  # behind the last mark of this kind, 0 for the mark itself; far where there is none
    )
    SINCE_NEXT = 1
    SINCE_AUTHOR = 2
    SINCE_RIGHTS = 3
    SINCE_FOLLOW = 4
    SINCE_TURN = 5
    SINCE_SOURCE = 6
    UNTIL_MARK = 7  # up to the next mark of any kind
    SINCE_TITLE = 8
    WORDS_SINCE_TITLE = 9  # log(1 + words) between, below 0 before the title
    LEVELS_TO_TITLE = 10  # distinct containers of the block that do not hold the title
    SHARE_WITH_TITLE = 11  # words in the innermost container that holds both, of the page's
    PAGE_LOG_SAID = 12  # log(1 + code points) of the descriptions
    SAID_FRACTION = 13  # words of blocks that begin like them, of the page's
    SINCE_FIRST_SAID = 14  # behind the first block that begins like them
    SINCE_LAST_SAID = 15


class CutPageRow(IntEnum):
    """What the cuts of one page have in common. Behind these rows stand the facts of the page."""

    LOG_BLOCKS = 0
    LOG_WORDS = 1
    CONTENT_FRACTION = 2  # expected content words, of all
    DOUBT = 3  # entropy of the blocks' probabilities in nats, weighted by words
    BEST_F1 = 4  # highest expected F1
    BEST_KEPT_FRACTION = 5  # words that the cut of highest expected F1 keeps, of all
    LIKELY_FRACTION = 6  # words of blocks above 0.5, of all
    UNSURE_FRACTION = 7  # words of blocks between 0.2 and 0.8, of all
    HIGHEST_PROBABILITY = 8


class CutRow(IntEnum):
    """What one cut keeps. These rows are the last ones of a cut array."""

    LAST_PROBABILITY = 0  # of the last block that it keeps
    NEXT_PROBABILITY = 1  # of the first block that it leaves out; 0 where it keeps all
    F1_BELOW_BEST = 2  # expected F1 minus the highest one, so at most 0
    RECALL = 3  # expected
    KEPT_FRACTION = 4  # words, of all
    PRECISION = 5  # expected
    LOG_KEPT_WORDS = 6
    LAST_FRACTION = 7  # index of the last block in the order of probability, of all blocks
    KEPT_TO_BEST = 8  # words kept over those that the cut of highest expected F1 keeps
    BLOCKS_BEYOND_BEST = 9  # blocks kept minus those of the cut of highest expected F1
