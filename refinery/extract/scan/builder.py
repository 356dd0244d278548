"""The state of the tree builder: arrays that its kernels read and fill.

Kernels know columns and cells by the numbers named here. Shapes: L bytes of the page, T tags, D open
elements, A open formatting elements.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from refinery.compiled import Filled, Matrix
from refinery.extract.scan.names import (
    ATTRIBUTES,
    BUILDER_NAMES,
    hash_name,
    read_references,
    rules_of,
    slots_of,
)

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

# Cells of `state`.
(OUT, TAGS, DEPTH, ACTIVE, FULL, PHASE, FORM, IS_QUIRKS, TITLE, TITLE_END, SERIAL, NAME, FIRST, SIZE,
 HASH, NUM_ATTRIBUTES, HAS_ATTRIBUTES, IS_EMPTY, SPANS, FOSTER_DEPTH, FOSTER_TAG, FOSTER_OUT, MOVED,
 HEAD_END, TAG_END, IS_PLAIN) = range(26)  # fmt: skip
# Behind the cells: open elements by number of their name, then the values of the tag that is read:
# attribute, first offset and end of each.
# Unknown names are counted by hash, in the last cells of COUNTS.
COUNTS, NUM_UNKNOWN = 32, 64
VALUES = COUNTS + 256 + NUM_UNKNOWN
MOST_VALUES = 24
NUM_CELLS = VALUES + 3 * MOST_VALUES
# Phases of a page.
IN_HEAD, AFTER_HEAD, IN_BODY, IN_FRAMES = range(4)
# Columns of `tags`. The last ones: hash of the classes, bits of the name words, and the numbers that
# `start` or `value`, `colspan` and `rowspan` give, -1 for none.
START, END, TAG_NAME, KIND, CLOSING, CLASSES, WORDS, NUMBER, COL_SPAN, ROW_SPAN = range(10)
NUM_TAG_COLUMNS = 10
# What a tag is.
OPENS, HOLDS_NOTHING, CLOSES = range(3)
# Columns of `stack`, one row per open element.
NUMBER_OF, HASH_OF, TAG_OF, LENGTH_OF, MODE_OF, SPACE_OF, TRAITS_OF, UNIQUE_OF = range(8)
# What of a table holds the text inside an element, the innermost part counting.
IN_TEXT, IN_TABLE, IN_SECTION, IN_ROW, IN_CELL, IN_CAPTION, IN_COLUMNS = range(7)
# Whose element it is: HTML's, a drawing's, a formula's, or one of those that holds HTML again.
HTML, SVG, MATH, HOLDER = range(4)
# Columns of formatting elements: name, index in the stack or -1, unique number, hash of the attributes.
A_NAME, A_INDEX, A_UNIQUE, A_VALUES = range(4)
# The name of what formatting does not reach beyond: cells, captions, objects.
MARKER = -1
MAX_DEPTH, MAX_ACTIVE = 10_000, 128
# Kinds of spans of the source; their columns are kind, first offset and end.
SCRIPT_SPAN, META_SPAN, INNER_SPAN = range(3)
MAX_SPANS = 4_000
# Rows of `stack`: open elements, then active formatting elements, then spans of the source.
ACTIVES = MAX_DEPTH + 1
SPANNED = ACTIVES + MAX_ACTIVE + 1

# Offsets in `table`: of names, attributes and references the slots by hash, the hashes and the first
# bytes in `blob` by number.
NAME_SLOTS, MOST_NAMES = 2048, 256
VALUE_SLOTS, MOST_ATTRIBUTES = 256, 32
REFERENCE_SLOTS, MOST_REFERENCES = 8192, 2304
MOST_WORDS = 60
NAME_HASHES = NAME_SLOTS
RULES = NAME_HASHES + MOST_NAMES
TRAITS = RULES + MOST_NAMES
NAME_FIRSTS = TRAITS + MOST_NAMES
AT_VALUES = NAME_FIRSTS + MOST_NAMES
VALUE_HASHES = AT_VALUES + VALUE_SLOTS
VALUE_FIRSTS = VALUE_HASHES + MOST_ATTRIBUTES
AT_REFERENCES = VALUE_FIRSTS + MOST_ATTRIBUTES
REFERENCE_HASHES = AT_REFERENCES + REFERENCE_SLOTS
REFERENCE_FIRSTS = REFERENCE_HASHES + MOST_REFERENCES
IS_LEGACY = REFERENCE_FIRSTS + MOST_REFERENCES
WINDOWS = IS_LEGACY + MOST_REFERENCES
NUM_WORDS = WINDOWS + 32
WORD_FIRSTS = NUM_WORDS + 1
# Of each name word, in the order of their first letters, its bit; by letter, the first word that begins with it.
WORD_BITS = WORD_FIRSTS + MOST_WORDS + 1
LETTERS = WORD_BITS + MOST_WORDS
# By first letter: bits of the second letters of name words, and of the lengths of attributes' names.
SECONDS = LETTERS + 33
LENGTHS = SECONDS + 32
# Behind all of them, the bytes of names and of values.
TEXTS = LENGTHS + 32


class Builder(NamedTuple):
    """A page while it is read.

    Attributes:
        source: [L] the page in UTF-8.
        out: What is written: markup as a parser writes it.
        tags: [T, 10] what is known of each tag.
        stack: Open elements, formatting elements that are open or will be opened anew, and spans of
            scripts and meta tags in the source; eight columns.
        state: Cells as named above.
        table: What is known of names, attributes and references.
    """

    source: Bytes
    out: Filled[Bytes]
    tags: Matrix[Filled[Ints]]
    stack: Matrix[Filled[Ints]]
    state: Filled[Ints]
    table: Ints


@functools.cache
def build_table(name_words: tuple[str, ...]) -> Ints:
    """The table of a builder that looks for these words in the names of elements."""
    table, texts_behind = np.zeros(TEXTS, np.int64), bytearray()

    def put(offset: int, values: list[int]) -> None:
        table[offset : offset + len(values)] = values

    def put_names(slots: int, num_slots: int, hashes: int, names: list[str]) -> None:
        put(hashes, [0, *map(hash_name, names)])
        put(slots, slots_of(names, num_slots))

    def put_texts(firsts: int, texts: list[bytes]) -> None:
        put(firsts, np.cumsum([TEXTS + len(texts_behind), *map(len, texts)]).tolist())
        texts_behind.extend(b"".join(texts))

    names, attributes, references = list(BUILDER_NAMES), list(ATTRIBUTES), read_references()
    put_names(0, NAME_SLOTS, NAME_HASHES, names)
    put_texts(NAME_FIRSTS, [b"", *(name.encode() for name in names)])
    rules, traits = rules_of(names)
    put(RULES, rules)
    put(TRAITS, traits)
    put_names(AT_VALUES, VALUE_SLOTS, VALUE_HASHES, attributes)
    put_texts(VALUE_FIRSTS, [b"", *(name.encode() for name in attributes)])
    put_names(AT_REFERENCES, REFERENCE_SLOTS, REFERENCE_HASHES, references.names)
    put_texts(REFERENCE_FIRSTS, [b"", *references.values])
    put(IS_LEGACY, [0, *references.is_legacy])
    put(WINDOWS, references.windows)
    put(NUM_WORDS, [len(name_words)])
    by_letter = sorted(range(len(name_words)), key=lambda bit: name_words[bit][0])
    put_texts(WORD_FIRSTS, [name_words[bit].encode() for bit in by_letter])
    put(WORD_BITS, by_letter)
    firsts = [ord(name_words[bit][0]) & 31 for bit in by_letter]
    put(LETTERS, np.searchsorted(firsts, np.arange(33)).tolist())
    for word in name_words:
        table[SECONDS + (ord(word[0]) & 31)] |= 1 << (ord(word[1]) & 31)
    for name in attributes:
        table[LENGTHS + (ord(name[0]) & 31)] |= 1 << len(name)
    bytes_behind = np.frombuffer(bytes(texts_behind), np.uint8).astype(np.int64)
    # Read-only, as the kernels expect it.
    return np.frombuffer(np.concatenate([table, bytes_behind]).tobytes(), np.int64)


def new_builder(
    source: bytes, table: Ints, *, room: int, is_quirks: bool, is_plain: bool = False
) -> Builder:
    """Arrays for a page; a higher `room` where the markup needs more than a page is expected to.

    With `is_plain` formatting ends where a block ends: then no tag makes more than a few others.
    """
    page = np.frombuffer(source, np.uint8)
    num_tags = (np.count_nonzero(page == ord("<")) * 2 + 256) * room
    state = np.zeros(NUM_CELLS, np.int64)
    state[IS_QUIRKS], state[TITLE], state[FORM], state[FOSTER_DEPTH] = is_quirks, -1, -1, -1
    state[HEAD_END], state[IS_PLAIN] = len(source), is_plain
    return Builder(
        page,
        np.empty((2 * len(source) + 65_536) * room, np.uint8),
        np.empty((num_tags, NUM_TAG_COLUMNS), np.int64),
        np.empty((SPANNED + MAX_SPANS, 8), np.int64),
        state,
        table,
    )
